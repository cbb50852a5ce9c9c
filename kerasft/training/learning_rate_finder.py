"""The learning rate range test: the loss over learning rates that rise from step to step.

The method is that of Smith (2015, arXiv 1506.01186) as popularized by fastai: rates rise
geometrically, the loss is smoothed, and the ramp ends where the loss diverges.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from inspect import signature
from types import ModuleType
from typing import Any

import keras
import numpy as np

from kerasft.config import Config, ConfigType, with_keywords
from kerasft.data import Data, load_recipe_data, stream
from kerasft.display import progress
from kerasft.formatting import number
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs
from kerasft.insight import LearningRateCurve, suggest
from kerasft.modalities import settled
from kerasft.models.freezing import frozen_below
from kerasft.seeds import set_seed
from kerasft.signals import holding_signals
from kerasft.training.checkpoint import reseed
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import FitContext, make_context, make_phase_inputs
from kerasft.training.head_features import HeadFeatures
from kerasft.training.head_start import start_head
from kerasft.training.phases import Phase, head_rate, make_batches

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 120
_SMOOTHING = 0.9
_DIVERGED = 3.0  # times the best smoothed loss
_ABOVE = 1.5  # times the highest smoothed loss of the first steps
_FIRST = 10  # the first tenth of the steps, whose rates are too low to change the loss


def find_rates(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    *,
    feature_cache: FeatureCache | None = None,
    steps: int = STEPS,
    log: Callable[[str], None] = lambda line: None,
) -> list[LearningRateCurve]:
    """Ramp the learning rate of every phase of a fit, and restore the model.

    The ramp of a later phase starts after the earlier ones were trained with their suggested
    rates, as in a fit. The output layer begins at random for a head phase and on several
    devices, else as in a fit.

    Args:
        compiled_models: The model as `build_model` returns it. Weights, and seeds of dropout and
            augmentation, are restored afterwards.
        config: Settings; the learning rates and the monitor are not used.
        data: Data, as the recipe's `load_data` returns it.
        feature_cache: Cache shared with the fit that follows.
        steps: Number of steps of each ramp, at least 20. Short epochs are repeated.
        log: Function that receives a line for every phase.

    Returns:
        A curve for each phase, in order.

    Example:
        >>> curves = find_rates(CompiledModels(recipe.build_model(config, data)), config, data)
        >>> curves[-1].valley
        0.00037
    """
    # The rates are only placeholders, and nothing is monitored.
    config = dataclasses.replace(config, learning_rate=1e-4, head_learning_rate=1e-3, monitor=None)
    context = make_context(config, data, compiled_models, feature_cache=feature_cache)
    model, curves = context.model, []
    reseed(model, config.seed)
    before = [variable.numpy() for variable in model.weights]
    inputs = make_phase_inputs(context)
    first = context.phases[0].name
    single = feature_cache is None or feature_cache.devices.number == 1
    try:
        if first != "head" and single:
            start_head(context, HeadFeatures(context, inputs[first]))
        for phase in context.phases:
            with frozen_below(model, phase.blocks):
                curve = _ramp(context, phase, inputs[phase.name], steps)
                curves.append(curve)
                log(
                    f"rate   {phase.name}: {curve.valley:.2g} (steepest {curve.steepest:.2g}; "
                    f"{len(curve.rates)} steps up to {curve.rates[-1]:.2g})"
                )
                if phase is not context.phases[-1]:
                    _train(context, phase, inputs[phase.name], curve.valley)
    finally:
        for variable, value in zip(model.weights, before, strict=True):
            variable.assign(value)
        reseed(model, config.seed)
    return curves


def use_found(config: ConfigType, curves: list[LearningRateCurve]) -> ConfigType:
    """Return the settings with the suggested learning rates."""
    found = {curve.phase: curve.valley for curve in curves}
    config = dataclasses.replace(
        config,
        learning_rate=found["main"],
        head_learning_rate=found.get("head", config.head_learning_rate),
    )
    return dataclasses.replace(config, head_learning_rate=head_rate(config))


def _ramp(context: FitContext, phase: Phase, inputs: PhaseInputs, steps: int) -> LearningRateCurve:
    """Train with rising learning rates, then restore the weights."""
    plain = dataclasses.replace(
        context.config, learning_rate_schedule="plateau", learning_rate=1e-4
    )
    part = context.compiled_models.compiled(plain, context.data, phase, inputs.model)
    before = [variable.numpy() for variable in part.trainable_variables]
    rates: list[float] = []
    losses: list[float] = []
    smooth = 0.0
    all_rates, batches = np.geomspace(LOWEST, HIGHEST, steps), _endless(context, inputs)
    with progress(f"learning-rate ramp, {phase.name}", steps) as bar:
        for rate, batch in zip(all_rates, batches, strict=False):
            part.optimizer.learning_rate = float(rate)
            part.reset_metrics()
            found = part.train_on_batch(*batch, return_dict=True)
            smooth = _SMOOTHING * smooth + (1 - _SMOOTHING) * float(found["data_loss"])
            smoothed = smooth / (1 - _SMOOTHING ** (len(losses) + 1))
            if has_diverged([*losses, smoothed], steps):
                break
            rates.append(float(rate))
            losses.append(smoothed)
            bar.details = (f"rate {rate:.2g}", f"loss {number(smoothed)}")
            bar.advance()
    for variable, value in zip(part.trainable_variables, before, strict=True):
        variable.assign(value)
    return LearningRateCurve(phase.name, rates, losses, *suggest(rates, losses))


def has_diverged(losses: list[float], steps: int) -> bool:
    """Return whether the last smoothed loss shows that the rate is far too high.

    Args:
        losses: Smoothed losses so far, one per step.
        steps: Steps of the whole ramp.
    """
    *before, last = losses
    if not math.isfinite(last):
        return True
    begin = before[: max(steps // _FIRST, 1)]
    # Noise alone triples a loss near zero: it must also exceed the first losses.
    later = len(before) > len(begin)
    return later and last > _DIVERGED * min(before) and last > _ABOVE * max(begin)


def _training_batches(context: FitContext, inputs: PhaseInputs) -> Any:
    """Return the batches of the training split."""
    data = context.data
    return make_batches(data.train, context.config, data.labels, training=True, x=inputs.train)


def _endless(context: FitContext, inputs: PhaseInputs) -> Iterator[tuple[Any, ...]]:
    """Yield training batches, epoch after epoch without end."""
    batches = _training_batches(context, inputs)
    for epoch in range(1 << 30):
        if hasattr(batches, "epoch"):
            batches.epoch = epoch
        for index in range(len(batches)):
            yield batches.batch(index) if hasattr(batches, "batch") else batches[index]


def _train(context: FitContext, phase: Phase, inputs: PhaseInputs, rate: float) -> None:
    """Train a phase with its suggested learning rate."""
    phase = dataclasses.replace(phase, learning_rate=rate)
    batches = _training_batches(context, inputs)
    part = context.compiled_models.compiled(context.config, context.data, phase, inputs.model)
    with (
        progress(f"training {phase.name} at that rate", phase.epochs) as bar,
        holding_signals() as act_on_signals,
    ):
        count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.advance())
        callbacks = [count, act_on_signals]
        part.fit(
            stream(batches), epochs=phase.epochs, shuffle=False, verbose=0, callbacks=callbacks
        )


def find_learning_rate(
    recipe: ModuleType | str, config: Config | None = None, *, steps: int = STEPS,
    log: Callable[[str], None] = lambda line: None, **settings: Any,
) -> list[LearningRateCurve]:  # fmt: skip
    """Find learning rates for a recipe; see `find_rates`.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; its defaults where None.
        steps: Number of steps of each ramp, at least 20.
        log: Function that receives a line for every phase.
        **settings: Settings by name, which replace those of `config`.

    Returns:
        A curve for each phase, in order.

    Raises:
        SettingError: A setting is unknown or out of range.
        DataError: The data cannot be used.

    Example:
        >>> kerasft.find_learning_rate("resnet_digits", batch_size=64)[-1].valley
    """
    from kerasft.catalog import recipe_module
    from kerasft.models.dtype_policy import precision
    from kerasft.training.precision_choice import build_in_precision

    module = recipe_module(recipe)
    config = with_keywords(
        module.Config, config, settings, signature(find_learning_rate).parameters
    )
    config = settled(config)
    set_seed(config.seed)
    data = load_recipe_data(module, config)
    config, model = build_in_precision(module, config, data, log)
    with precision(config.precision):
        return find_rates(CompiledModels(model), config, data, steps=steps, log=log)
