"""The number format of the computation: set, or chosen by timing training steps."""

from __future__ import annotations

import dataclasses
import gc
import random
import time
from collections.abc import Callable
from types import ModuleType

import keras

from kerasft.config import Config, ConfigType
from kerasft.data import Batches, Data
from kerasft.data.batches import compiles_shapes
from kerasft.display import status
from kerasft.distribution.hardware import backend_devices
from kerasft.errors import is_out_of_memory
from kerasft.models import BackboneCache, building
from kerasft.models.compute_cost import Product, graph_products
from kerasft.models.dtype_policy import precision
from kerasft.models.recipe_model import build_recipe_model
from kerasft.training.phases import compile_model, make_batches, steps_per_epoch
from kerasft.training.speed import BACKWARD, measure_peak, units_per_example
from kerasft.training.stored_step_times import read_times, timing_key, write_times

WORTH = 1.2  # least speedup over float32 for which another format is chosen
LEAST_WORK = 5e12  # multiplications of a fit whose formats are timed: about a minute on two cores
_GPU_FACTOR = 50  # of LEAST_WORK on a GPU
_ROUNDS = 5
_SECONDS = 6.0  # after which no further round begins
_PRODUCT = 0.02  # seconds for timing one matrix product, in each of three rounds


def choose_precision(
    recipe: ModuleType,
    config: ConfigType,
    data: Data,
    log: Callable[[str], None],
    *,
    trainings: int = 1,
) -> ConfigType:
    """Return the settings with precision=auto replaced by the fastest format on this machine.

    Short fits stay in float32, since timing would take longer than another format saves. In others
    the largest matrix products of the model are timed in every format. Of the formats in which
    they are faster than in float32, a few training steps are timed, in turn. The times are
    stored in the cache folder, for this machine, model and size of batches. Output layer and
    loss are float32 in all formats.

    Args:
        recipe: A recipe module.
        config: Settings, returned unchanged where precision is not auto.
        data: Data, as the recipe's `load_data` returns it.
        log: Function that receives a line about the choice.
        trainings: Expected number of trainings with the chosen format.
    """
    if config.precision != "auto":
        return config
    state = random.getstate()  # a fit with the chosen format named has the same initial weights
    chosen, _ = _choose(recipe, config, data, log, trainings)
    random.setstate(state)
    return chosen


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
        return config, _build(recipe, config, data)
    with building(config, BackboneCache()):  # the loaded backbone is reused
        config, model = _choose(recipe, config, data, log, 1)
        return config, _build(recipe, config, data) if model is None else model


def _choose(
    recipe: ModuleType, config: ConfigType, data: Data, log: Callable[[str], None], trainings: int
) -> tuple[ConfigType, keras.Model | None]:
    """Return the settings with the chosen format, and their model if it is built by now."""
    state = random.getstate()
    float32 = dataclasses.replace(config, precision="float32")
    model = _build(recipe, float32, data)
    products = graph_products(model)
    if trainings * _work(products, config, data) < _least_work():
        return float32, model
    rows = round(config.batch_size * units_per_example(data.train))
    key = timing_key(model, products, rows)
    del model

    def measure() -> dict[str, float]:
        random.setstate(state)
        formats = faster_formats(products, rows)
        return _time_formats(recipe, config, data, ["float32", *formats]) if formats else {}

    chosen = _fastest(key, measure, log)
    gc.collect()  # the timed models, whose graphs have reference cycles
    random.setstate(state)
    return dataclasses.replace(config, precision=chosen), None


def _fastest(key: str, measure: Callable[[], dict[str, float]], log: Callable[[str], None]) -> str:
    """Return the fastest format by stored times, or by times that are measured now.

    Args:
        key: What the times depend on.
        measure: Function that returns the time of a step by format; nothing if only float32 can be
            fast.
        log: Function that receives lines about the choice.
    """
    began, times, how = time.monotonic(), read_times(key), "measured by an earlier fit"
    if times is None:
        try:
            times = measure()
        except Exception as error:  # classes of several libraries mean a lack of memory
            if not is_out_of_memory(error):
                raise
            log("speed  precision float32: the memory is too small for timing other formats")
            return "float32"
        how = f"measured in {time.monotonic() - began:.0f}s"
        if problem := write_times(key, times):
            log(f"note   The times of number formats cannot be stored: {problem}")
    if not times:
        log(f"speed  precision float32: matrix products are no faster in other formats ({how})")
        return "float32"
    fastest = min(times, key=lambda name: times[name])
    chosen = fastest if times["float32"] >= WORTH * times[fastest] else "float32"
    shown = ", ".join(f"{name} {1000 * seconds:,.0f} ms" for name, seconds in times.items())
    log(f"speed  precision {chosen} chosen (time per step: {shown}; {how})")
    return chosen


def _build(recipe: ModuleType, config: Config, data: Data) -> keras.Model:
    with precision(config.precision):
        return build_recipe_model(recipe, config, data)


def _work(products: list[Product], config: Config, data: Data) -> float:
    """Return the multiplications of a training: frozen products once, trained ones every epoch."""
    learned = sum(product.work for product in products if product.learned)
    frozen = sum(product.work for product in products) - learned
    examples = steps_per_epoch(data.train, config.batch_size) * config.batch_size
    each = frozen + config.epochs * (1 + BACKWARD) * learned
    return examples * units_per_example(data.train) * each


def _least_work() -> float:
    gpu = any(name.startswith("GPU") for name in backend_devices(keras.backend.backend()))
    return LEAST_WORK * (_GPU_FACTOR if gpu else 1)


def faster_formats(products: list[Product], rows: int) -> list[str]:
    """Return the formats in which the matrix products of a model are faster than in float32.

    Args:
        products: Matrix products of the model; the largest are timed.
        rows: Number of examples of a batch, or of their tokens.
    """
    names = ["mixed_bfloat16", *(["mixed_float16"] if compiles_shapes() else [])]
    peaks = dict.fromkeys(["float32", *names], 0.0)
    for _ in range(3):  # in turn, as other programs may take time from one of them
        for name, peak in peaks.items():
            peaks[name] = max(peak, measure_peak(products, rows, name, seconds=_PRODUCT))
    return [name for name in names if peaks[name] >= WORTH * peaks["float32"]]


def _time_formats(
    recipe: ModuleType, config: Config, data: Data, names: list[str]
) -> dict[str, float]:
    """Return the time of a training step in each format, in seconds."""
    status("timing number formats")
    # A rate of `auto` is found later, in the chosen format; the time does not depend on it.
    found = isinstance(config.learning_rate, str)
    rate = config.head_learning_rate if found else config.learning_rate
    timed = {
        name: dataclasses.replace(config, precision=name, learning_rate=rate) for name in names
    }
    return time_steps({name: _step(recipe, each, data) for name, each in timed.items()})


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
    model = _build(recipe, config, data)
    with precision(config.precision):
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
