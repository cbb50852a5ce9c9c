"""Learning-rate suggestions from a ramp."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from kerasft.insight import charts


@dataclasses.dataclass(frozen=True)
class LearningRateCurve:
    """Loss of one phase over a rising learning rate.

    Attributes:
        phase: `head` or `main`.
        rates: Learning rate of each step.
        losses: Smoothed loss of each step.
        valley: Suggested rate: half way down the descent; see `suggest`.
        steepest: Rate of the steepest fall over the logarithm of the rate.
    """

    phase: str
    rates: list[float] = dataclasses.field(repr=False)
    losses: list[float] = dataclasses.field(repr=False)
    valley: float
    steepest: float


def suggest(rates: list[float], losses: list[float]) -> tuple[float, float]:
    """Return the suggested rate of a ramp, and the rate of its steepest fall.

    If the loss falls, the suggestion is the geometric mean of two rates: where the loss has lost a
    tenth of its total fall, and its minimum. (fastai's "valley" begins at the first value that is
    not exceeded later, which is random on a flat start.)

    After a head phase the loss may not fall visibly, but only rise after some noise. The suggestion
    is then a third of the rate at which the rise begins: the best rates lie somewhat below the
    largest stable one (Bengio 2012, arXiv 1206.5533, section 3.1.1). The factor was chosen on two
    curves (`python -m tests.benchmarks.rate_grid`). The same rate is returned as the steepest.

    Both are rounded to two significant digits.

    Args:
        rates: Rising learning rates, one per step.
        losses: Smoothed losses of the same steps.
    """
    # The first steps are noise around the initial loss.
    first = len(losses) // 10 if len(losses) >= 30 else 0
    y, x = np.array(losses[first:]), np.array(rates[first:])
    if not _falls(y):
        rate = steepest = _below_the_rise(x, y)
    else:
        top, bottom = _descent(y)
        rate = math.sqrt(x[top] * x[bottom])
        slopes = np.gradient(y, np.log(x))[top : bottom + 1]
        steepest = x[top + int(slopes.argmin())]
    return float(f"{rate:.2g}"), float(f"{steepest:.2g}")


def _falls(y: np.ndarray) -> bool:
    """Return whether a curve falls by more than the noise of its first third."""
    begin = y[: max(len(y) // 3, 1)]
    return bool(np.median(begin) - y.min() > 4 * begin.std())


def _descent(y: np.ndarray) -> tuple[int, int]:
    """Return the indices of a tenth of the total fall, and of the minimum."""
    bottom = int(y.argmin())
    fall = y[: bottom + 1].max() - y[bottom]
    high = np.flatnonzero(y[: bottom + 1] >= y[bottom] + 0.9 * fall)
    return (int(high[-1]) if len(high) else 0), bottom


def _below_the_rise(x: np.ndarray, y: np.ndarray) -> float:
    begin = y[: max(len(y) // 3, 1)]
    limit = np.median(begin) + max(0.25 * np.median(begin), 4 * begin.std())
    within = np.flatnonzero(y <= limit)
    last = int(within[-1]) if len(within) else 0
    return max(float(x[last]) / 3, float(x[0]))


def plot_rates(curves: list[LearningRateCurve], path: str | Path) -> None:
    """Draw the ramps of all phases with their suggestions, as PNG."""
    figure, grid = charts.grid(1, len(curves), 5.2, 3.6)
    for axes, curve in zip(grid, curves, strict=True):
        axes.plot(curve.rates, curve.losses, color=charts.TRAIN)
        for rate, name, style in (
            (curve.valley, "suggested", "--"),
            (curve.steepest, "steepest", ":"),
        ):
            axes.axvline(rate, color=charts.VALIDATION, ls=style, label=f"{name} {rate:.2g}")
        axes.set_xscale("log")
        charts.finish(axes, f"{curve.phase}: smoothed loss by learning rate", "learning rate")
    charts.as_png(figure, Path(path))
