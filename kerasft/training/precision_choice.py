"""The number format of the computation: set, or chosen by timing training steps."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from types import ModuleType

import keras

from kerasft.config import ConfigType
from kerasft.data import Batches, Data
from kerasft.data.batches import compiles_shapes
from kerasft.display import status
from kerasft.models import BackboneCache, building
from kerasft.models.dtype_policy import precision
from kerasft.models.recipe_model import build_recipe_model
from kerasft.training.phases import compile_model, make_batches

WORTH = 1.1  # least speedup over float32 for which another format is chosen
_ROUNDS = 5
_SECONDS = 6.0  # after which no further round begins


def choose_precision(
    recipe: ModuleType, config: ConfigType, data: Data, log: Callable[[str], None]
) -> ConfigType:
    """Return the settings with precision=auto replaced by the fastest format on this machine.

    A model is built in every number format that may be fast on the device, and a few training
    steps of each are timed, in turn. Output layer and loss are float32 in all of them.

    Args:
        recipe: A recipe module.
        config: Settings, returned unchanged where precision is not auto.
        data: Data, as the recipe's `load_data` returns it.
        log: Function that receives a line about the choice.
    """
    if config.precision != "auto":
        return config
    status("timing number formats")
    state = random.getstate()  # a fit with the chosen format named has the same initial weights
    began = time.monotonic()
    names = ["float32", "mixed_bfloat16", *(["mixed_float16"] if compiles_shapes() else [])]
    formats = {name: dataclasses.replace(config, precision=name) for name in names}
    # A rate of `auto` is found later, in the chosen format; the time does not depend on it.
    found = isinstance(config.learning_rate, str)
    rate = config.head_learning_rate if found else config.learning_rate
    timed = {n: dataclasses.replace(each, learning_rate=rate) for n, each in formats.items()}
    best = time_steps({name: _step(recipe, each, data) for name, each in timed.items()})
    random.setstate(state)
    fastest = min(best, key=lambda name: best[name])
    chosen = fastest if best["float32"] >= WORTH * best[fastest] else "float32"
    times = ", ".join(f"{name} {1000 * seconds:,.0f} ms" for name, seconds in best.items())
    log(
        f"speed  precision {chosen} chosen (time per step: {times}; "
        f"measured in {time.monotonic() - began:.0f}s)"
    )
    return formats[chosen]


def build_in_precision(
    recipe: ModuleType, config: ConfigType, data: Data, log: Callable[[str], None]
) -> tuple[ConfigType, keras.Model]:
    """Build a recipe's model in the number format of its settings, or in the fastest.

    Args:
        recipe: A recipe module.
        config: Settings.
        data: Prepared data.
        log: Function that receives a line about the choice.

    Returns:
        The settings with the chosen format, and the model.
    """
    status("building the model")
    if config.precision != "auto":
        with precision(config.precision):
            return config, build_recipe_model(recipe, config, data)
    with building(config, BackboneCache()):  # the loaded backbone is reused
        return build_in_precision(recipe, choose_precision(recipe, config, data, log), data, log)


def time_steps(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest time of each step, in seconds; the steps run in turn."""
    best = dict.fromkeys(steps, float("inf"))
    began = time.monotonic()
    for _ in range(_ROUNDS):
        for name, step in steps.items():
            start = time.monotonic()
            step()
            best[name] = min(best[name], time.monotonic() - start)
        if time.monotonic() - began > _SECONDS:
            break
    return best


def _step(recipe: ModuleType, config: ConfigType, data: Data) -> Callable[[], object]:
    """Return a function that trains a new model on a batch of median length."""
    with precision(config.precision):
        model = build_recipe_model(recipe, config, data)
        compile_model(model, config, data)
    model.optimizer.build(model.trainable_variables)
    batches = make_batches(data.train, config, data.labels, training=True)
    if isinstance(batches, Batches):
        by_width = sorted(range(len(batches)), key=batches.width)
        batch = batches.batch(by_width[len(batches) // 2])
    else:
        batch = batches[0]

    def step() -> object:
        return model.train_on_batch(*batch)

    step()  # trace it
    return step
