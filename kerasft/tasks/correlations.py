"""Correlations of predicted with true numbers."""

from __future__ import annotations

import numpy as np


def correlations(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return Pearson's and Spearman's correlation; nothing where one side is constant.

    Args:
        y: True numbers, shape (n,).
        predicted: Predicted numbers, shape (n,).

    Returns:
        `pearson` (linear) and `spearman` (of the ranks; ties share their mean rank), in -1 to 1.

    Example:
        >>> correlations(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))["spearman"]
        1.0
    """
    # float32 sums of large targets, such as prices, would lose digits.
    y, predicted = y.astype("float64"), predicted.astype("float64")
    if len(y) < 2 or np.ptp(y) == 0 or np.ptp(predicted) == 0:
        return {}
    from scipy import stats

    return {
        "pearson": float(stats.pearsonr(y, predicted).statistic),
        "spearman": float(stats.spearmanr(y, predicted).statistic),
    }
