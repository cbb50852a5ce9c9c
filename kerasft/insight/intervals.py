"""The 95 % confidence interval of a score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kerasft.insight.facts import Facts


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
    name, _ = facts.score
    value = facts.metrics.get(split, {}).get(name)
    if value is None:
        return None
    if name == "accuracy":
        return facts.interval(value, split)
    if name != "rmse" or f"y_{split}" not in arrays:
        return None
    squares = (arrays[f"outputs_{split}"][:, 0] - arrays[f"y_{split}"]) ** 2
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(squares), (2000, len(squares)))
    low, high = np.quantile(np.sqrt(squares[draws].mean(axis=1)), [0.025, 0.975])
    return float(low), float(high)
