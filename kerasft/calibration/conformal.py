"""Fits of limits with a stated coverage (split conformal prediction)."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from kerasft.calibration.intervals import Interval
from kerasft.calibration.prediction_sets import ADAPTIVE, LEAST_AMBIGUOUS, PredictionSets

_FEW = 10  # classes up to which sets are least ambiguous
_PENALTY, _FREE_RANKS = 0.01, 5  # of adaptive sets


def conformal_limit(scores: np.ndarray, coverage: float) -> float | None:
    """Return a limit that a new score does not exceed with a probability of `coverage`.

    It lies midway between two scores, so that rounding cannot move an example across it.

    Args:
        scores: Scores of validation examples, shape (n,).
        coverage: Probability, in (0, 1).

    Returns:
        The limit, or None with fewer examples than `needed_examples`.
    """
    position = math.ceil(round((len(scores) + 1) * coverage, 9)) - 1
    if position >= len(scores):
        return None
    return above(scores, float(np.sort(scores)[position]))


def fit_sets(probabilities: np.ndarray, y: np.ndarray, coverage: float) -> PredictionSets | None:
    """Return the rule of prediction sets with a coverage, None with too few examples.

    Args:
        probabilities: Calibrated probabilities, shape (n, classes).
        y: Class indices, shape (n,).
        coverage: Share of examples whose true class is in their set.
    """
    from keras import ops

    rule = PredictionSets(coverage, LEAST_AMBIGUOUS, 0.0)
    if probabilities.shape[1] > _FEW:
        rule = PredictionSets(coverage, ADAPTIVE, 0.0, _PENALTY, _FREE_RANKS)
    scores = ops.convert_to_numpy(rule.scores(ops.convert_to_tensor(probabilities)))
    limit = conformal_limit(scores[np.arange(len(y)), y], coverage)
    return None if limit is None else dataclasses.replace(rule, limit=limit)


def fit_interval(
    predicted: np.ndarray, y: np.ndarray, coverage: float, *, logarithm: bool
) -> Interval | None:
    """Return the interval with a coverage, None with too few examples.

    Args:
        predicted: Predicted numbers, shape (n,).
        y: True numbers, shape (n,).
        coverage: Share of examples whose true number is in their interval.
        logarithm: Whether the interval is symmetric on a logarithmic scale.
    """
    predicted, y = predicted.astype("float64"), y.astype("float64")
    if logarithm:
        predicted, y = np.log(predicted), np.log(y)
    margin = conformal_limit(np.abs(y - predicted), coverage)
    return None if margin is None else Interval(coverage, margin, logarithm)


def above(scores: np.ndarray, score: float) -> float:
    """Return the middle between a score and the next higher one."""
    higher = scores[scores > score]
    if not len(higher):
        return score + max(abs(score), 1.0) * 1e-3
    return (score + float(higher.min())) / 2


def below(scores: np.ndarray, score: float) -> float:
    """Return the middle between a score and the next lower one."""
    return -above(-scores, -score)
