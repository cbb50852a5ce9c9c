"""Throughput of a training, and its share of the peak matmul throughput of the machine."""

from __future__ import annotations

import statistics
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasft.data import Data, Split, text_lengths
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models.compute_cost import Product
from kerasft.training.context import FitContext
from kerasft.training.phases import Phase

_SHAPES = 3  # number of products that are timed, the largest ones
_SECONDS = 0.15  # of each of them, at most
_SHARE = 0.01  # of the time of the phase that timing one of them takes, at most
BACKWARD = 2  # passes: the gradients of the inputs and of the kernel


def measure_speed(
    context: FitContext, phase: Phase, inputs: PhaseInputs
) -> dict[str, float] | None:
    """Return the throughput of a phase, or None where it cannot be measured.

    Args:
        context: Context of the training. The first epoch of a phase compiles; it is left out
            where the history has others.
        phase: A phase that was trained.
        inputs: Its model and inputs.

    Returns:
        `examples_per_second` and, for texts, `tokens_per_second` (real tokens, without padding):
        the median over epochs, validation included. Where the graph of the model can be read,
        also `peak_gflops`, the peak matmul throughput of this machine in the model's own
        shapes (measured now, in less than a second and 3% of the phase's time), and
        `share_of_peak`: the throughput of an epoch, in multiplications and additions of
        kernels for real tokens alone, as a share of that peak. After a single epoch, `compiling`
        is 1 and the share is left out: its time includes compilation.
    """
    data, history = context.data, context.recorder.history
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
    prefix = context.compiled_models.prefix(phase)
    if prefix.products:
        config, most = context.config, min(_SECONDS, _SHARE * sum(times))
        rows = round(config.batch_size * units_per_example(data.train))
        peak = measure_peak(prefix.products, rows, config.precision, seconds=most)
        forward = prefix.work if inputs.model is context.model else prefix.tail.work
        found["peak_gflops"] = 2e-9 * peak
        found["share_of_peak"] = epoch_work(prefix, forward, data) / seconds / peak
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def measure_speeds(
    context: FitContext, inputs: dict[str, PhaseInputs]
) -> dict[str, dict[str, float]]:
    """Return the throughput of each phase that was trained, by its name; see `measure_speed`."""
    found = {
        phase.name: measure_speed(context, phase, inputs[phase.name]) for phase in context.phases
    }
    return {name: speed for name, speed in found.items() if speed is not None}


def epoch_work(prefix: FrozenPrefix, forward: float, data: Data) -> float:
    """Return the multiplications of kernels in an epoch: training, then validation.

    Args:
        prefix: Frozen prefix of the model in the phase.
        forward: Multiplications of one forward pass of an example, or of a token of a text.
        data: Prepared data: real tokens of texts are counted, or examples.
    """
    learned = sum(product.work for product in prefix.products if product.learned)
    return units(data.train) * (forward + BACKWARD * learned) + units(data.validation) * forward


def units(split: Any) -> int:
    """Return the number of real tokens of a split of texts, or of examples of any other."""
    if not isinstance(split, Split):
        return 0
    lengths = text_lengths(split.x)
    return len(split.y) if lengths is None else int(lengths.sum())


def units_per_example(split: Any) -> float:
    """Return the mean number of real tokens of the texts of a split, or 1 for other examples."""
    lengths = text_lengths(split.x) if isinstance(split, Split) else None
    return 1.0 if lengths is None else float(lengths.mean())


def measure_peak(
    products: list[Product], units: int, precision: str, *, seconds: float = _SECONDS
) -> float:
    """Return the peak matmul throughput for a model's own shapes, in multiplications a second.

    Args:
        products: Matrix products of the model; the largest are timed.
        units: Number of examples of a batch, or of their tokens.
        precision: Value of the setting `precision`, not `auto`.
        seconds: Time for each product; one multiplication is timed in any case.
    """
    dtype = precision.removeprefix("mixed_")
    weights: dict[tuple[int, int, int], float] = {}
    for product in products:
        shape = (product.rows * units, product.inner, product.columns)
        weights[shape] = weights.get(shape, 0.0) + product.work
    heaviest = sorted(weights, key=lambda shape: weights[shape])[-_SHAPES:]
    needed = sum(weights[shape] / _throughput(*shape, dtype, seconds) for shape in heaviest)
    return sum(weights[shape] for shape in heaviest) / needed


def _throughput(rows: int, inner: int, columns: int, dtype: str, seconds: float) -> float:
    """Return the highest measured throughput of one product, in multiplications a second."""
    numbers = np.random.default_rng(0)
    left = ops.cast(ops.convert_to_tensor(numbers.standard_normal((rows, inner), "float32")), dtype)
    right = ops.cast(numbers.standard_normal((inner, columns), "float32"), dtype)
    _wait(ops.matmul(left, right))
    best, end = float("inf"), time.monotonic() + seconds
    while True:
        began = time.monotonic()
        _wait(ops.matmul(left, right))
        now = time.monotonic()
        best = min(best, now - began)
        if now > end:
            return rows * inner * columns / best


def _wait(product: Any) -> None:
    """Wait for the result of an asynchronous device."""
    if keras.backend.backend() == "jax":
        product.block_until_ready()
    else:
        float(ops.cast(product[0, 0], "float32"))


def speed_line(phase: str, speed: dict[str, Any]) -> str:
    """Return the log line for the throughput of a phase.

    A share that rounds to 0% is left out: such a phase is too small for matrix products to matter.
    """
    line = f"speed  {phase}: {speed['examples_per_second']:,.0f} examples/s"
    if "tokens_per_second" in speed:
        line += f", {speed['tokens_per_second']:,.0f} real tokens/s"
    if "compiling" in speed:
        line += " in one epoch, compilation included"
    if round(speed.get("share_of_peak", 0), 2) > 0:
        line += (
            f", {speed['share_of_peak']:.0%} of measured peak matmul throughput "
            f"({speed['peak_gflops']:,.0f} GFLOP/s)"
        )
    return line
