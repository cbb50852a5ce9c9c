"""Uncertainty of a score: its variance and its 95 % confidence interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kerasft.insight.facts import Facts
from kerasft.runs import Run
from kerasft.tasks import Task

WIDE = 0.07  # half an interval of an accuracy above which settings cannot be compared


def read_predictions(run: Run) -> dict[str, np.ndarray]:
    """Return the arrays of `predictions.npz`, none if the run has no such file."""
    path = run.path / "predictions.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


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


def score_interval(
    facts: Facts, arrays: Mapping[str, np.ndarray], split: str
) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of the main metric, or None.

    Wilson's interval (1927) for accuracies; 2,000 bootstrap samples (Efron 1979) for a root mean
    squared error.

    Args:
        facts: Facts about the run.
        arrays: Arrays of `predictions.npz`; needed for regression.
        split: `validation` or `test`.
    """
    value = facts.metrics.get(split, {}).get(facts.kind.main_metric)
    if value is None:
        return None
    if facts.kind.interval == "wilson":
        return facts.interval(value, split)
    if facts.kind.interval != "bootstrap" or f"y_{split}" not in arrays:
        return None
    errors = _resampled_rmse(arrays[f"y_{split}"], arrays[f"outputs_{split}"])
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)


def is_wide(facts: Facts, interval: tuple[float, float]) -> bool:
    """Return whether an interval is too wide to compare settings by the score."""
    low, high = interval
    if facts.kind.has_classes:
        return (high - low) / 2 > WIDE
    return high - low > 0.4 * (high + low) / 2  # as of fewer than 50 examples


def _resampled_rmse(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the root mean squared errors of 2,000 bootstrap samples."""
    squares = (outputs[:, 0] - y) ** 2
    draws = np.random.default_rng(0).integers(0, len(squares), (2000, len(squares)))
    return np.asarray(np.sqrt(squares[draws].mean(axis=1)))
