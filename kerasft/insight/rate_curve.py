"""What a ramp of the learning rate says."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from kerasft.insight import charts


@dataclasses.dataclass(frozen=True)
class RateCurve:
    """The loss of one phase over rising rates.

    Attributes:
        phase: `head` or `main`.
        rates: Of the steps.
        losses: Smoothed, of the same steps.
        valley: The suggestion: half the way down; see `suggest`.
        steepest: Where the loss falls fastest, over the logarithm of the rate.
    """

    phase: str
    rates: list[float]
    losses: list[float]
    valley: float
    steepest: float


def suggest(rates: list[float], losses: list[float]) -> tuple[float, float]:
    """Return a rate from the curve of a ramp, and where it is steepest.

    Where the loss falls, the suggestion stands, on the logarithm of the rate, half the way between
    where it has lost a tenth of its whole fall and its bottom: fastai's "valley" begins its
    descent at the first value that is not exceeded later, which on a flat beginning is chance.

    After a head phase the loss may have no visible fall left, only noise and then a rise. The
    suggestion is then a third of the rate at which it has risen for good: the best rates lie
    somewhat below the largest stable one (Bengio 2012, arXiv 1206.5533, section 3.1.1). How far
    was chosen on two curves (`python -m tests.benchmarks.rate_grid`).

    It is given as the steepest too: where nothing falls there is none. Both are rounded to two
    figures.

    Args:
        rates: Rising.
        losses: Smoothed, of the same steps.
    """
    # The first steps are noise around the beginning.
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
    """Return whether the fall of a curve stands out of the noise of its beginning."""
    begin = y[: max(len(y) // 3, 1)]
    return bool(np.median(begin) - y.min() > 4 * begin.std())


def _descent(y: np.ndarray) -> tuple[int, int]:
    """Return where a curve has lost a tenth of its whole fall, and its bottom."""
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


def plot_rates(curves: list[RateCurve], path: str | Path) -> None:
    """Draw the ramps of all phases, with what they suggest, as a PNG."""
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
