"""Time of an epoch of every phase, measured over a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasft.checks.few_batches import FewBatches, first_rows
from kerasft.checks.needs import bytes_of
from kerasft.data import Split, select_rows
from kerasft.display import status
from kerasft.distribution.devices import devices_class
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs, memory_for, prefix_bytes
from kerasft.models.freezing import frozen_below
from kerasft.training.context import FitContext, cache_plans
from kerasft.training.loop import steps_at_once
from kerasft.training.phases import Phase, make_batches, steps_per_epoch

_STEPS = 4  # timed steps, after two that trace the graph
_SHORT_STEPS = 32  # timed steps, twice, if two of them take less than `_SHORT_SECONDS`
_SHORT_SECONDS = 0.5
# Frozen features are computed twice: the difference in time is that of the further examples.
_FEWER_EXAMPLES, _MORE_EXAMPLES = 64, 192


@dataclass(frozen=True)
class PhaseTime:
    """Measured time of a phase.

    Attributes:
        phase: Name of the phase.
        epochs: Number of epochs.
        steps: Training steps of an epoch.
        seconds_per_step: Time of a training step.
        seconds_per_epoch: Time of an epoch, validation included.
        cached: Whether frozen features are cached.
        feature_seconds: Time of computing them, once before the first epoch.
    """

    phase: str
    epochs: int
    steps: int
    seconds_per_step: float
    seconds_per_epoch: float
    cached: bool
    feature_seconds: float

    @property
    def seconds(self) -> float:
        """Time of all epochs and of the frozen features."""
        return self.feature_seconds + self.epochs * self.seconds_per_epoch


@dataclass(frozen=True)
class BatchTime:
    """Measured time of the first rows of every batch, which are the part of a device.

    Attributes:
        rows: Number of rows.
        training: Time of a training step.
        validation: Time of a batch of the validation split.
    """

    rows: int
    training: float
    validation: float


@dataclass(frozen=True)
class PhaseSizes:
    """Memory and batch times of a phase.

    Attributes:
        gradients: Size of the gradients, in bytes.
        optimizer: Size of the optimizer state, in bytes.
        batches: Times by the number of rows, the whole batch first.
    """

    gradients: int
    optimizer: int
    batches: tuple[BatchTime, ...]


@dataclass(frozen=True)
class Timed:
    """Times and memory of the phases of a fit.

    Attributes:
        phases: Times, in order.
        sizes: Memory and batch times of each.
        feature_bytes: Size of all cached features.
    """

    phases: tuple[PhaseTime, ...]
    sizes: tuple[PhaseSizes, ...]
    feature_bytes: int

    @property
    def optimizer_bytes(self) -> int:
        """Size of the largest optimizer state."""
        return max(size.optimizer for size in self.sizes)


def time_phases(context: FitContext, rows: Sequence[int] = ()) -> Timed:
    """Time a few steps of each phase as a fit runs them.

    The weights of the model are changed.

    Args:
        context: Context of the fit.
        rows: Numbers of rows below the batch size, whose steps are timed too, as several devices
            run them.
    """
    inputs, seconds, feature_bytes = _few_inputs(context)
    times, sizes = [], []
    for phase in context.phases:
        status(f"timing steps of {phase.name}")
        with frozen_below(context.model, phase.blocks):
            size = _measure(context, phase, inputs[phase.name], rows)
        times.append(_phase_time(context, phase, size.batches[0], seconds.get(phase.name)))
        sizes.append(size)
    return Timed(tuple(times), tuple(sizes), feature_bytes)


def _phase_time(
    context: FitContext, phase: Phase, batch: BatchTime, features: float | None
) -> PhaseTime:
    """Return the time of a phase from that of its batches."""
    data, size = context.data, context.config.batch_size
    steps = steps_per_epoch(data.train, size)
    epoch = steps * batch.training + steps_per_epoch(data.validation, size) * batch.validation
    cached = features is not None
    return PhaseTime(
        phase.name, phase.epochs, steps, batch.training, epoch, cached, features or 0.0
    )


def _measure(
    context: FitContext, phase: Phase, inputs: PhaseInputs, rows: Sequence[int]
) -> PhaseSizes:
    """Time the batches of a phase, for which the model is frozen already."""
    steps = steps_per_epoch(context.data.train, context.config.batch_size)
    alone = steps_at_once(inputs, context.config, min(steps, _STEPS))
    shared = alone if not rows or devices_class().repeats_steps else 1
    rows_by_steps = {alone: [context.config.batch_size]}  # that run without returning to Python
    rows_by_steps.setdefault(shared, []).extend(rows)
    times: list[BatchTime] = []
    for at_once, timed in rows_by_steps.items():
        part = context.compiled_models.compiled(
            context.config, context.data, phase, inputs.model, steps_per_execution=at_once
        )
        times += [_batch_time(context, part, inputs, each) for each in timed]
    return PhaseSizes(
        bytes_of(part.trainable_variables), bytes_of(part.optimizer.variables), tuple(times)
    )


def _batch_time(
    context: FitContext, part: keras.Model, inputs: PhaseInputs, rows: int
) -> BatchTime:
    """Time the first rows of the batches of a compiled phase."""
    size, data = context.config.batch_size, context.data

    def train(count: int) -> object:
        batches = _batches(context, data.train, inputs.train, count, training=True)
        return part.fit(first_rows(batches, rows, size), verbose=0, shuffle=False)

    def validate(count: int) -> object:
        batches = _batches(context, data.validation, inputs.validation, count, training=False)
        return part.evaluate(first_rows(batches, rows, size), verbose=0)

    return BatchTime(
        rows,
        _per_batch(train, steps_per_epoch(data.train, size)),
        _per_batch(validate, steps_per_epoch(data.validation, size)),
    )


def _per_batch(run: Callable[[int], object], total: int) -> float:
    """Return the time of one batch, measured over a few.

    Args:
        run: Function that processes a number of batches.
        total: Number of batches of an epoch.
    """
    few = min(2, total)
    run(few)  # trace the graph
    short = _seconds(run, few) < _SHORT_SECONDS
    if not short:
        return _seconds(run, min(_STEPS, total)) / min(_STEPS, total)
    count = min(_SHORT_STEPS, total)
    return min(_seconds(run, count), _seconds(run, count)) / count  # that of less disturbed steps


def _seconds(run: Callable[[int], object], count: int) -> float:
    began = time.monotonic()
    run(count)
    return time.monotonic() - began


def _batches(context: FitContext, split: Any, x: Any, count: int, *, training: bool) -> Any:
    """Return batches of a split, of which `x` has the inputs of the first examples alone."""
    config, labels = context.config, context.data.labels
    if not isinstance(split, Split):
        return FewBatches(split, count)
    known = _few_rows(split, _MORE_EXAMPLES)
    repeated = np.resize(np.arange(len(known)), min(count * config.batch_size, len(split)))
    part = _part(split, known[repeated])
    return make_batches(part, config, labels, training=training, x=select_rows(x, repeated))


def _few_rows(split: Split, count: int) -> np.ndarray:
    """Return the indices of a few examples of the whole range: splits can be sorted by class."""
    return np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).astype(int))


def _few(split: Any, count: int) -> Any:
    """Return a few examples of a split, None if the recipe renders them."""
    return _part(split, _few_rows(split, count)) if isinstance(split, Split) else None


def _part(split: Split, rows: np.ndarray) -> Split:
    return Split(select_rows(split.x, rows), split.y[rows], split.examples.select(rows))


def _few_inputs(
    context: FitContext,
) -> tuple[dict[str, PhaseInputs], dict[str, float], int]:
    """Return the inputs of a few examples by phase.

    Returns:
        Inputs of the phases, the time in which the frozen features of all examples are computed by
        phase (only of phases with cached features), and the bytes of these features in memory.
    """
    splits: Any = (context.data.train, context.data.validation)
    more = tuple(_few(split, _MORE_EXAMPLES) for split in splits)
    whole = PhaseInputs(context.model, *(part and part.x for part in more))
    inputs = {phase.name: whole for phase in context.phases}
    if None in more:
        return inputs, {}, 0
    plans = cache_plans(context)
    gains = context.feature_cache.gains(plans, context.config, splits)
    plans = [plan for plan in plans if plan.name in gains]
    if not plans:
        return inputs, {}, 0
    status("timing frozen features")
    fewer = tuple(_few(split, _FEWER_EXAMPLES) for split in splits)
    first, _ = _features(context, plans, fewer)
    second, found = _features(context, plans, more)
    examples = sum(map(len, more)) - sum(map(len, fewer))
    each = max(second - first, 0.0) / examples if examples else 0.0
    rest = sum(map(len, splits)) - sum(map(len, more))
    seconds = second + each * rest
    size = sum(prefix_bytes(plan.prefix, context.config, splits) for plan in plans)
    in_memory = size if size <= memory_for(context.config) else 0
    return inputs | found, dict.fromkeys(found, seconds / max(len(found), 1)), in_memory


def _features(context: FitContext, plans: Any, splits: Any) -> tuple[float, dict[str, PhaseInputs]]:
    """Return the time of computing frozen features, and the inputs of phases that use them."""
    began = time.monotonic()
    found = FeatureCache().phase_inputs(plans, context.config, splits, lambda line: None)
    return time.monotonic() - began, found
