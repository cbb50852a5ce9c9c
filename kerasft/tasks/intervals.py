"""Uncertainty of a main metric: its variance and its 95% confidence interval."""

from __future__ import annotations

import numpy as np

from kerasft.tasks.base import Task

WIDE = 0.07  # half an interval of an accuracy above which settings cannot be compared
_SAMPLES = 2000  # of the bootstrap


def binomial_variance(share: float, examples: int) -> float:
    """Return the variance of a share of examples; never 0, as others could be missed."""
    inside = min(max(share, 1 / examples), 1 - 1 / examples) if examples > 1 else 0.5
    return inside * (1 - inside) / max(examples, 1)


def score_variance(task: Task, score: float, y: np.ndarray, outputs: np.ndarray) -> float:
    """Return the variance of the main metric over samples of the examples.

    Args:
        task: Its main metric is a share of examples, or a root mean squared error.
        score: Value of the metric.
        y: Targets, shape (n,) or (n, outputs).
        outputs: Outputs of the model, shape (n, outputs).
    """
    if task.has_classes:
        return binomial_variance(score, len(y))
    return float(_resampled_rmse(y, outputs).var())


def share_interval(share: float, examples: int) -> tuple[float, float]:
    """Return the 95% confidence interval of a share of examples (Wilson 1927)."""
    from scipy.stats import binomtest

    n = max(examples, 1)
    found = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def score_interval(
    task: Task,
    score: float,
    examples: int,
    y: np.ndarray | None = None,
    outputs: np.ndarray | None = None,
) -> tuple[float, float] | None:
    """Return the 95% confidence interval of the main metric, or None.

    Wilson's interval for accuracies; 2,000 bootstrap samples (Efron 1979) for a root mean squared
    error. It covers the choice of the examples, not that of the seed.

    Args:
        task: The task; `Task.interval` names the method.
        score: Value of the metric.
        examples: Number of examples.
        y: Targets, shape (n,) or (n, outputs); needed for regression.
        outputs: Outputs of the model, shape (n, outputs); needed for regression.
    """
    if task.interval == "wilson":
        return share_interval(score, examples)
    if task.interval != "bootstrap" or y is None or outputs is None:
        return None
    low, high = np.quantile(_resampled_rmse(y, outputs), [0.025, 0.975])
    return float(low), float(high)


def is_wide(task: Task, interval: tuple[float, float]) -> bool:
    """Return whether an interval is too wide to compare settings by the score."""
    low, high = interval
    if task.has_classes:
        return (high - low) / 2 > WIDE
    return high - low > 0.4 * (high + low) / 2  # as of fewer than 50 examples


def _resampled_rmse(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the root mean squared errors of the bootstrap samples."""
    squares, random = (outputs[:, 0] - y) ** 2, np.random.default_rng(0)
    count = len(squares)
    # One sample at a time: all of them would take gigabytes for 100,000 examples.
    means = [squares[random.integers(0, count, count)].mean() for _ in range(_SAMPLES)]
    return np.sqrt(means)
