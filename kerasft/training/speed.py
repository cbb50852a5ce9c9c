"""How fast a training was, and how near to what the machine could do."""

from __future__ import annotations

import statistics
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasft.config import Config
from kerasft.data import Data, Split, text_lengths
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models.work import Product
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.phases import Phase, plan_phases

_SHAPES = 3  # of the heaviest products, which are timed
_SECONDS = 0.15  # for each of them
BACKWARD = 2  # passes: the gradient of the inputs and that of the kernel


def measure_speed(
    compiled_models: CompiledModels,
    phase: Phase,
    view: PhaseInputs,
    config: Config,
    data: Data,
    history: list[dict[str, Any]],
) -> dict[str, Any] | None:
    """Return how fast a phase was trained, or None where that cannot be told.

    Args:
        compiled_models: With the model.
        phase: A phase that was trained.
        view: What it trained.
        config: Its batch_size and precision are used.
        data: Its training and validation splits tell the work of an epoch.
        history: The epochs of the fit. The first of a phase compiles: where there are others it
            is left out.

    Returns:
        `examples_per_second` and, for texts, `tokens_per_second` (real ones, without padding) of
        whole epochs, validation included, the median over epochs; where the graph of the model
        can be read also `ceiling_gflops`, what this machine reaches in matrix products of the
        model's own shapes (measured now, in less than a second), and `share_of_ceiling`: the
        multiplications and additions of kernels that an epoch needed, for real tokens alone, in
        its time, over that. `compiling` is 1 and there is no share where one epoch was all:
        its time holds that of compiling.
    """
    times = [row["seconds"] for row in history if row["phase"] == phase.name]
    seconds = statistics.median(times[1:] or times) if times else 0.0
    if not seconds or not isinstance(data.train, Split):
        return None
    lengths = text_lengths(data.train.x)
    found: dict[str, Any] = {"examples_per_second": len(data.train.y) / seconds}
    if lengths is not None:
        found["tokens_per_second"] = float(lengths.sum()) / seconds
    if len(times) == 1:
        return {**found, "compiling": 1.0}
    cut = compiled_models.cut(phase)
    if cut.products:
        mean = 1.0 if lengths is None else float(lengths.mean())
        ceiling = measure_ceiling(cut.products, round(config.batch_size * mean), config.precision)
        forward = cut.work if view.model is compiled_models.model else cut.tail.work
        work = epoch_work(cut, forward, data)
        found["ceiling_gflops"] = 2e-9 * ceiling
        found["share_of_ceiling"] = work / seconds / ceiling
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def measure_speeds(
    compiled_models: CompiledModels,
    views: dict[str, PhaseInputs],
    config: Config,
    data: Data,
    history: list[dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return how fast each phase was trained that was, by its name; see `measure_speed`."""
    found = {
        phase.name: measure_speed(compiled_models, phase, views[phase.name], config, data, history)
        for phase in plan_phases(config, compiled_models.model)
    }
    return {name: speed for name, speed in found.items() if speed is not None}


def epoch_work(cut: FrozenPrefix, forward: float, data: Data) -> float:
    """Return the multiplications of kernels in an epoch: training, and validation after it.

    Args:
        cut: Of the model, as it is frozen in the phase.
        forward: Of one pass through what is trained, by unit of length.
        data: Real tokens are counted where there are texts, examples where not.
    """
    learned = sum(product.work for product in cut.products if product.learned)
    return units(data.train) * (forward + BACKWARD * learned) + units(data.validation) * forward


def units(split: Any) -> int:
    """Return the real tokens of a split of texts, and the examples of any other."""
    if not isinstance(split, Split):
        return 0
    lengths = text_lengths(split.x)
    return len(split.y) if lengths is None else int(lengths.sum())


def measure_ceiling(products: list[Product], units: int, precision: str) -> float:
    """Return the multiplications a second that this machine reaches in a model's own shapes.

    Args:
        products: Those of the model; the heaviest are timed.
        units: Examples of a batch, or their tokens.
        precision: As the setting has it.
    """
    dtype = precision.removeprefix("mixed_")
    weights: dict[tuple[int, int, int], float] = {}
    for product in products:
        shape = (product.rows * units, product.inner, product.columns)
        weights[shape] = weights.get(shape, 0.0) + product.work
    heaviest = sorted(weights, key=lambda shape: weights[shape])[-_SHAPES:]
    seconds = sum(weights[shape] / _rate(*shape, dtype) for shape in heaviest)
    return sum(weights[shape] for shape in heaviest) / seconds


def _rate(rows: int, inner: int, columns: int, dtype: str) -> float:
    """Return the most multiplications a second that one product reached."""
    numbers = np.random.default_rng(0)
    left = ops.cast(ops.convert_to_tensor(numbers.standard_normal((rows, inner), "float32")), dtype)
    right = ops.cast(numbers.standard_normal((inner, columns), "float32"), dtype)
    _wait(ops.matmul(left, right))
    best, end = float("inf"), time.monotonic() + _SECONDS
    while True:
        began = time.monotonic()
        _wait(ops.matmul(left, right))
        now = time.monotonic()
        best = min(best, now - began)
        if now > end:
            return rows * inner * columns / best


def _wait(product: Any) -> None:
    """Wait until a device that computes ahead of Python has computed a product."""
    if keras.backend.backend() == "jax":
        product.block_until_ready()
    else:
        float(ops.cast(product[0, 0], "float32"))


def speed_line(phase: str, speed: dict[str, Any]) -> str:
    """Return a phase's speed in words."""
    line = f"speed  {phase}: {speed['examples_per_second']:,.0f} examples/s"
    if "tokens_per_second" in speed:
        line += f", {speed['tokens_per_second']:,.0f} real tokens/s"
    if "compiling" in speed:
        line += " in one epoch, compiling included"
    if "share_of_ceiling" in speed:
        line += (
            f", {speed['share_of_ceiling']:.0%} of what this machine reaches in matrix products "
            f"({speed['ceiling_gflops']:,.0f} GFLOP/s)"
        )
    return line
