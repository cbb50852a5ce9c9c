"""Uncertainty of a metric: its variance, and the 95% confidence interval of the main one."""

from __future__ import annotations

import numpy as np

from kerasft.tasks.base import Task
from kerasft.tasks.labels import Labels

WIDE = 0.07  # half an interval of an accuracy above which settings cannot be compared
_SAMPLES = 2000  # of the bootstrap
_TOGETHER = 50  # of them, drawn at once
_MEASURED = 200  # samples where each costs an evaluation, which takes milliseconds
_NORMAL = 1.96  # of a 95% interval


def binomial_variance(share: float, examples: int) -> float:
    """Return the variance of a share of examples; never 0, as others could be missed."""
    inside = min(max(share, 1 / examples), 1 - 1 / examples) if examples > 1 else 0.5
    return inside * (1 - inside) / max(examples, 1)


def score_variance(
    labels: Labels, name: str, score: float, y: np.ndarray, outputs: np.ndarray
) -> float:
    """Return the variance of a metric over samples of the examples.

    That of a share for the accuracy as main metric; else over bootstrap samples (Efron 1979), 2,000
    for a root mean squared error and 200 for other metrics.

    Args:
        labels: Task and class names.
        name: Metric of the task but the loss, which `Task.measure` does not return.
        score: Value of the metric.
        y: Targets, shape (n,) or (n, outputs).
        outputs: Outputs of the model, shape (n, outputs).
    """
    task = labels.kind
    if name == task.main_metric and task.interval == "wilson":
        return binomial_variance(score, len(y))
    if name == task.main_metric and task.interval == "bootstrap":
        return float(_resampled_rmse(y, outputs).var())
    random, count = np.random.default_rng(0), len(y)
    scores = []
    for _ in range(_MEASURED):
        draw = random.integers(0, count, count)
        scores.append(task.measure(labels, y[draw], outputs[draw])[name])
    # As of a share: never 0 where examples could be missed.
    least = binomial_variance(1.0, count) if task.has_classes else 0.0
    return max(float(np.var(scores)), least)


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


def paired_interval(
    task: Task, y: np.ndarray, predicted: np.ndarray, reference: np.ndarray
) -> tuple[float, float]:
    """Return the 95% interval of the difference of two main metrics on the same examples.

    For accuracies that of Agresti and Min (2005), which is never empty; else the quantiles of 2,000
    bootstrap samples of the examples.

    Args:
        task: The task.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        predicted: Predictions, as in `Task.score`.
        reference: Predictions from whose metric the difference is counted.
    """
    if task.interval == "wilson":
        right, before = predicted == y, reference == y
        gained, lost = int((right & ~before).sum()), int((before & ~right).sum())
        count = len(y) + 2
        middle = (gained - lost) / count
        error = (gained + lost + 1 - (gained - lost) ** 2 / count) ** 0.5 / count
        return max(middle - _NORMAL * error, -1.0), min(middle + _NORMAL * error, 1.0)
    scores = resampled_scores(task, y, predicted, reference)
    low, high = np.quantile(scores[0] - scores[1], [0.025, 0.975])
    return float(low), float(high)


def resampled_scores(task: Task, y: np.ndarray, *predictions: np.ndarray) -> np.ndarray:
    """Return the main metric of each predictions on the same 2,000 bootstrap samples.

    Args:
        task: The task.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        predictions: Predictions of one model each, as in `Task.score`.

    Returns:
        Shape (models, samples).
    """
    random, count = np.random.default_rng(0), len(y)
    parts = []
    for _ in range(0, _SAMPLES, _TOGETHER):
        draws = [random.integers(0, count, count) for _ in range(_TOGETHER)]
        weights = np.stack([np.bincount(draw, minlength=count) for draw in draws])
        weights = weights.astype("float32")
        parts.append([task.weighted_scores(y, each, weights) for each in predictions])
    return np.concatenate(parts, axis=1)
