"""The training loop, shared by fits and by the trials of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Batches
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.models.fast_layers import compiling_ahead
from kerasft.models.freezing import frozen_below
from kerasft.signals import holding_signals
from kerasft.training.average_weights import averaging
from kerasft.training.callbacks import EpochOrder, NanGuard, PlateauWarmUp, SeparatePenalty
from kerasft.training.checkpoint import SaveState, TrainingState, load_state, reseed, seed_states
from kerasft.training.context import FitContext, make_phase_inputs
from kerasft.training.head_features import HeadFeatures
from kerasft.training.head_start import start_head
from kerasft.training.live_diagnosis import UnrecoverableError
from kerasft.training.optimizers.schedules import warmup_steps
from kerasft.training.phases import Phase, make_batches, phase_schedule, steps_per_epoch
from kerasft.training.untrained import record_untrained

_SHORT_STEP = 5e8  # multiplications of the steps that one call from Python runs
_AT_ONCE = 32
MakeCallbacks = Callable[[Phase, int], Sequence[keras.callbacks.Callback]]


@dataclass(frozen=True)
class _PhaseRun:
    """A phase to be run: from its beginning, or from where it was interrupted.

    Attributes:
        index: Index of the phase.
        phase: The phase.
        inputs: Its model and inputs.
        saved: Saved state, where the phase was interrupted.
        last_epoch: Number of the epoch after its last one; epochs count all phases.
    """

    index: int
    phase: Phase
    inputs: PhaseInputs
    saved: TrainingState | None
    last_epoch: int


def train(
    context: FitContext,
    *,
    make_callbacks: MakeCallbacks = lambda phase, epochs: (),
    state: Path | None = None,
    keep_state: bool = True,
    save_best: Callable[[], None] = lambda: None,
    start_counts: bool = False,
) -> dict[str, PhaseInputs]:
    """Train all phases; the model has its best weights at the end.

    Args:
        context: Context of the training. Its history and best epoch are updated.
        make_callbacks: Returns further callbacks for a phase and the number of epochs of all
            phases.
        state: File to which the state is saved after epochs, and when the training is interrupted.
            Where it exists, the training resumes from it: weights, optimizer, seeds, early stopping
            and order of examples are those of an uninterrupted training. Schedules are laid out for
            `config.epochs`, whatever they were laid out for before.
        keep_state: Whether the file must have the last state at the end, to continue from it.
        save_best: Function that saves the best weights so far, called whenever a state is saved.
        start_counts: Whether a start as a linear probe can be the best epoch, as epoch 0. A search
            compares what was trained.

    Returns:
        The model and inputs of each phase, by its name.
    """
    saved = load_state(state) if state is not None else None
    reseed(context.model, context.config.seed)
    if saved is not None:
        _restore(saved, context)
        epochs = sum(phase.epochs for phase in context.phases)
        context.log(f"resume after epoch {saved.epoch} of {epochs}")
    inputs = make_phase_inputs(context)
    if saved is None:
        _begin_head(context, inputs[context.phases[0].name], start_counts)
    context.log("       metrics are train/val")
    saver: SaveState | None = None
    try:
        for index, phase in enumerate(context.phases):
            if saved is not None and saved.phase > index:
                continue
            # Phases may have ended early: epochs are numbered in the order they were run.
            before = sum(row["phase"] != phase.name for row in context.recorder.history)
            total = before + sum(x.epochs for x in context.phases[index:])
            going_on = saved if saved is not None and saved.phase == index else None
            run = _PhaseRun(index, phase, inputs[phase.name], going_on, before + phase.epochs)
            context.recorder.phase = phase.name
            plateau, more = _plateau(context, phase), list(make_callbacks(phase, total))
            if state is not None:
                if saver is not None:  # the last epoch of the phase before
                    saver.save()
                saver = SaveState(state, context, index, plateau, save_best)
                more.append(saver)
            _run_phase(context, run, plateau, more)
    except UnrecoverableError as error:
        context.log(f"stop   {error}")
    except BaseException:  # a signal too: the last finished epoch is not lost
        if saver is not None:
            saver.save()
        raise
    finally:
        context.best_weights.restore()
    if saver is not None and keep_state:
        saver.save()
    return inputs


def _begin_head(context: FitContext, inputs: PhaseInputs, start_counts: bool) -> None:
    """Record what needs no training, and set the start of the output layer."""
    features = HeadFeatures(context, inputs)
    record_untrained(context, features)
    start_head(context, features, start_counts=start_counts)


def _restore(saved: TrainingState, context: FitContext) -> None:
    """Restore a saved training, except for the optimizer, which is not built yet."""
    saved.restore("weights", context.best_weights.variables)
    saved.restore("seeds", seed_states(context.model))
    saved.restore_best(context.best_weights)
    context.recorder.history[:] = saved.history


def _run_phase(
    context: FitContext,
    run: _PhaseRun,
    plateau: PlateauWarmUp | None,
    more: list[keras.callbacks.Callback],
) -> None:
    """Train a phase and restore the best weights so far."""
    best_weights = context.best_weights
    with frozen_below(context.model, run.phase.blocks):
        _fit_phase(context, run, plateau, more)
    best_weights.restore()
    stopped = best_weights.stopped_epoch
    if stopped is not None and stopped + 1 < run.last_epoch:
        context.log(best_weights.why_stopped(run.phase.name))


def _fit_phase(
    context: FitContext,
    run: _PhaseRun,
    plateau: PlateauWarmUp | None,
    more: list[keras.callbacks.Callback],
) -> None:
    """Train the epochs of a phase that are left."""
    config, data, phase, inputs = context.config, context.data, run.phase, run.inputs
    parts = context.compiled_models.batches_per_step
    batches = make_batches(
        data.train, config, data.labels, training=True, x=inputs.train, parts=parts
    )
    validation = make_batches(
        data.validation, config, data.labels, training=False, x=inputs.validation, parts=parts
    )
    at_once = steps_at_once(inputs, config, len(batches)) if context.devices.repeats_steps else 1
    with context.devices.scope():
        part = context.compiled_models.compiled(
            config, data, phase, inputs.model, steps_per_execution=at_once
        )
    _begin_phase(context, run, part, plateau)
    if context.best_weights.stopped_epoch is not None:  # before it was interrupted
        return
    devices = context.devices
    ahead = compiling_ahead(_shapes(batches, context))
    with devices.training(part), ahead, holding_signals() as act_on_signals:
        part.fit(
            devices.share(batches),
            validation_data=devices.share(validation),
            initial_epoch=len(context.recorder.history),
            epochs=run.last_epoch,
            shuffle=False,  # the batches are shuffled already
            verbose=0,
            callbacks=[
                *averaging(config, resumed=run.saved is not None),
                EpochOrder(batches, context.recorder.history),
                SeparatePenalty(phase_schedule(config, data, phase)),
                NanGuard(),
                *devices.callbacks(),
                *([plateau] if plateau is not None else []),
                context.best_weights,
                context.recorder,
                *more,
                act_on_signals,  # last, when the others have seen the batch
            ],
        )


def _shapes(batches: Any, context: FitContext) -> list[tuple[int, int]]:
    """Set batches to the next epoch and return their shapes, none where they are not known."""
    if not isinstance(batches, Batches) or context.devices.number > 1:
        return []
    batches.epoch = len(context.recorder.history)
    return batches.shapes()


def steps_at_once(inputs: PhaseInputs, config: Config, steps: int) -> int:
    """Return the number of steps that run without returning to Python, > 1 for short steps.

    Args:
        inputs: Model and inputs of the phase.
        config: Settings.
        steps: Steps of an epoch.
    """
    if config.learning_rate_schedule == "plateau":  # its warm-up sets the rate of every step
        return 1
    step = 3 * config.batch_size * max(inputs.work, 1.0)
    return max(1, min(int(_SHORT_STEP // step), _AT_ONCE, steps))


def _begin_phase(context: FitContext, run: _PhaseRun, part: keras.Model, plateau: Any) -> None:
    """Reset early stopping for a new phase, or restore an interrupted one."""
    if run.saved is None:
        context.best_weights.begin_phase()
        return
    if not part.optimizer.built:
        part.optimizer.build(part.trainable_variables)
    run.saved.restore_optimizer(part.optimizer, context.compiled_models.batches_per_step)
    if plateau is not None:
        plateau.restore_state(run.saved.plateau)


def _plateau(context: FitContext, phase: Phase) -> PlateauWarmUp | None:
    """Return the callback of the schedule `plateau`, None for other schedules."""
    config = context.config
    if config.learning_rate_schedule != "plateau":
        return None
    steps = steps_per_epoch(context.data.train, config.batch_size) * phase.epochs
    return PlateauWarmUp(
        phase.learning_rate,
        warmup_steps(config, steps) * context.compiled_models.batches_per_step,
        monitor=context.best_weights.monitor,
        mode=context.best_weights.direction,
        patience=max(config.patience // 2, 1) if config.patience else 2,
    )
