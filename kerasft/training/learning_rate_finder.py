"""A learning rate from a short ramp: the loss over rates that rise from step to step.

The method is the learning rate range test of Smith (2015, arXiv 1506.01186) as fastai made it
popular: rates rise geometrically, the loss is smoothed, the ramp ends where it blows up.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from kerasft.config import Config, ConfigType
from kerasft.data import Data, stream
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs
from kerasft.insight import RateCurve, suggest
from kerasft.models.freezing import frozen_below
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.phases import Phase, make_batches, plan_phases
from kerasft.training.state import reseed

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 120
_SMOOTHING = 0.9
_BLOWN_UP = 3.0  # times the best smoothed loss
_ABOVE = 1.5  # times the highest smoothed loss of the beginning
_BEGINNING = 10  # part of the steps whose rates are too low to change anything


def find_rates(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    *,
    features: FeatureCache | None = None,
    steps: int = STEPS,
    log: Callable[[str], None] = lambda line: None,
) -> list[RateCurve]:
    """Ramp the rate of every phase of a fit; the model is afterwards what it was before.

    The main phase is ramped from where a head phase with the suggested rate ends, as in a fit.

    Args:
        compiled_models: Of the model that `build_model` returned. Weights, and seeds of dropout
            and augmentation, are restored afterwards; optimizers are its own.
        config: The settings; its learning rates are not used.
        data: As the recipe's `load_data` gives it.
        features: Of frozen layers, to be shared with the fit that follows.
        steps: Of each ramp, at least 20. Where an epoch has fewer, several are gone through.
        log: Gets a line for every phase.

    Example:
        >>> curves = find_rates(Bench(recipe.build_model(config, data)), config, data)
        >>> curves[-1].valley
        0.00037
    """
    config = dataclasses.replace(config, learning_rate=1e-4, head_learning_rate=1e-3)
    model = compiled_models.model
    reseed(model, config.seed)
    before = [variable.numpy() for variable in model.weights]
    phases, curves = plan_phases(config, model), []
    views = (features or FeatureCache()).views(
        compiled_models, phases, config, data, lambda line: None
    )
    try:
        for phase in phases:
            with frozen_below(model, phase.blocks):
                curve = _ramp(compiled_models, config, data, phase, views[phase.name], steps)
                curves.append(curve)
                log(
                    f"rate   {phase.name}: {curve.valley:.2g} (steepest {curve.steepest:.2g}; "
                    f"{len(curve.rates)} steps up to {curve.rates[-1]:.2g})"
                )
                if phase is not phases[-1]:
                    _train(compiled_models, config, data, phase, views[phase.name], curve.valley)
    finally:
        for variable, value in zip(model.weights, before, strict=True):
            variable.assign(value)
        reseed(model, config.seed)
    return curves


def use_found(config: ConfigType, curves: list[RateCurve]) -> ConfigType:
    """Return the settings with the rates that were found."""
    found = {curve.phase: curve.valley for curve in curves}
    return dataclasses.replace(
        config,
        learning_rate=found["main"],
        head_learning_rate=found.get("head", config.head_learning_rate),
    )


def _ramp(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    phase: Phase,
    view: PhaseInputs,
    steps: int,
) -> RateCurve:
    """Train through rising rates, and give the weights their values back."""
    plain = dataclasses.replace(config, learning_rate_schedule="plateau", learning_rate=1e-4)
    part = compiled_models.compiled(plain, data, phase, view.model)
    before = [variable.numpy() for variable in part.trainable_variables]
    rates: list[float] = []
    losses: list[float] = []
    smooth = 0.0
    for rate, batch in zip(np.geomspace(LOWEST, HIGHEST, steps), _endless(config, data, view),
                           strict=False):  # fmt: skip
        part.optimizer.learning_rate = float(rate)
        part.reset_metrics()
        found = part.train_on_batch(*batch, return_dict=True)
        smooth = _SMOOTHING * smooth + (1 - _SMOOTHING) * float(found["data_loss"])
        smoothed = smooth / (1 - _SMOOTHING ** (len(losses) + 1))
        if _blown_up([*losses, smoothed], steps):
            break
        rates.append(float(rate))
        losses.append(smoothed)
    for variable, value in zip(part.trainable_variables, before, strict=True):
        variable.assign(value)
    return RateCurve(phase.name, rates, losses, *suggest(rates, losses))


def _blown_up(losses: list[float], steps: int) -> bool:
    """Return whether the last of the smoothed losses says that the rate is far too high."""
    *before, last = losses
    if not math.isfinite(last):
        return True
    begin = before[: max(steps // _BEGINNING, 1)]
    # A loss near zero is three times as high by chance: it must pass its beginning, too.
    later = len(before) > len(begin)
    return later and last > _BLOWN_UP * min(before) and last > _ABOVE * max(begin)


def _endless(config: Config, data: Data, view: PhaseInputs) -> Iterator[tuple[Any, ...]]:
    batches = make_batches(data.train, config, data.labels, training=True, x=view.train)
    for epoch in range(1 << 30):
        if hasattr(batches, "epoch"):
            batches.epoch = epoch
        for index in range(len(batches)):
            yield batches.batch(index) if hasattr(batches, "batch") else batches[index]


def _train(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    phase: Phase,
    view: PhaseInputs,
    rate: float,
) -> None:
    """Train a phase with the rate that was found for it."""
    batches = make_batches(data.train, config, data.labels, training=True, x=view.train)
    part = compiled_models.compiled(
        config, data, dataclasses.replace(phase, learning_rate=rate), view.model
    )
    part.fit(stream(batches), epochs=phase.epochs, shuffle=False, verbose=0)


def find_learning_rate(
    recipe: Any, config: Config | None = None, *, steps: int = STEPS,
    log: Callable[[str], None] = lambda line: None,
) -> list[RateCurve]:  # fmt: skip
    """Find learning rates for a recipe; see `find_rates`.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: The recipe's settings; its defaults where None is given.
        steps: Of each ramp.
        log: Gets a line for every phase.

    Example:
        >>> kerasft.find_learning_rate("resnet_digits")[-1].valley
    """
    from kerasft.catalog import recipe_module
    from kerasft.models.precision import precision
    from kerasft.training.precision import build_in_precision

    module = recipe_module(recipe)
    config = config if config is not None else module.Config()
    keras.utils.set_random_seed(config.seed)
    data = module.load_data(config)
    config, model = build_in_precision(module, config, data, log)
    with precision(config.precision):
        return find_rates(CompiledModels(model), config, data, steps=steps, log=log)
