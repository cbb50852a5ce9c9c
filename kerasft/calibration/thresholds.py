"""Thresholds of labels, and the rejection of improbable predictions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kerasft.calibration.conformal import below
from kerasft.calibration.cross_validation import folds

_LEAST = 50  # examples below which no threshold is fitted to F1
_REPEATS = 2  # cross-validations with other folds
Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


def fit_rejection(probability: np.ndarray, correct: np.ndarray, max_error: float) -> float | None:
    """Return the lowest threshold whose accepted predictions have few errors by an estimate.

    The share of errors is estimated as (errors + 1) / (accepted + 1), which is cautious with few
    examples. It is no bound: the lowest of many thresholds is chosen by the same examples, and the
    share of errors on others may be larger.

    Args:
        probability: Probability of each prediction, shape (n,).
        correct: Whether each is correct, shape (n,).
        max_error: Largest estimated share of errors.

    Returns:
        The threshold, or None where none has so few errors.
    """
    order = np.argsort(-probability, kind="stable")
    errors, accepted = np.cumsum(~correct[order]), np.arange(1, len(order) + 1)
    return _lowest(probability, order, (errors + 1) / (accepted + 1) <= max_error)


def _lowest(scores: np.ndarray, order: np.ndarray, good: np.ndarray) -> float | None:
    """Return the lowest threshold that is good, between two scores in descending order."""
    ranked = scores[order]
    ends = np.append(ranked[:-1] > ranked[1:], True)  # equal scores are accepted together
    found = np.flatnonzero(good & ends)
    return below(scores, float(ranked[found[-1]])) if len(found) else None


def fit_thresholds(
    probabilities: np.ndarray, y: np.ndarray, otherwise: np.ndarray
) -> tuple[float, ...]:
    """Return the threshold of each label with the highest F1.

    One threshold for all labels or one per label is chosen where its macro F1 on examples that it
    was not fitted on is higher than that of `otherwise`, by more than the standard error. With
    fewer than 50 examples `otherwise` is kept.

    Args:
        probabilities: Calibrated probabilities, shape (n, labels).
        y: Targets of 0 and 1, shape (n, labels).
        otherwise: Thresholds that decide as before a fit, shape (labels,).
    """
    truth, chosen = y > 0, otherwise
    if len(y) >= _LEAST:
        gains = {fit: _gain(probabilities, truth, fit, otherwise) for fit in (_shared, _each)}
        best = max(gains, key=lambda fit: gains[fit])
        chosen = best(probabilities, truth) if gains[best] > 0 else otherwise
    return tuple(float(value) for value in chosen)


def _gain(probabilities: np.ndarray, truth: np.ndarray, fit: Fit, otherwise: np.ndarray) -> float:
    """Return the gain in macro F1 on folds that were not fitted on, less its standard error."""
    gains = [
        macro_f1(probabilities[scored] >= fit(probabilities[fitted], truth[fitted]), truth[scored])
        - macro_f1(probabilities[scored] >= otherwise, truth[scored])
        for seed in range(_REPEATS)
        for fitted, scored in folds(len(truth), seed)
    ]
    # Repeats use the same examples again: the error is that of one cross-validation.
    return float(np.mean(gains) - np.std(gains) / (len(gains) / _REPEATS) ** 0.5)


def macro_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean F1 of the labels that occur, from booleans of shape (n, labels)."""
    both = predicted.sum(axis=0) + truth.sum(axis=0)
    hits = (predicted & truth).sum(axis=0)
    return float(np.mean(2 * hits[both > 0] / both[both > 0])) if both.any() else 0.0


def _shared(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return one threshold for all labels."""
    candidates = np.linspace(0.04, 0.96, 47)
    scores = [macro_f1(probabilities >= value, truth) for value in candidates]
    # The middle of the best ones: an end of a plateau is a matter of chance.
    best = candidates[np.asarray(scores) >= max(scores) - 1e-12]
    return np.full(truth.shape[1], best[len(best) // 2])


def _each(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return one threshold per label, near the shared one for labels with few examples."""
    shared = float(_shared(probabilities, truth)[0])
    found = [_best_f1(p, t, shared) for p, t in zip(probabilities.T, truth.T, strict=True)]
    positives = truth.sum(axis=0)
    weight = positives / (positives + 10)
    return np.asarray(weight * np.array(found) + (1 - weight) * shared)


def _best_f1(probability: np.ndarray, truth: np.ndarray, otherwise: float) -> float:
    """Return the threshold of one label with the highest F1."""
    if not truth.any():
        return otherwise
    order = np.argsort(-probability, kind="stable")
    hits, chosen = np.cumsum(truth[order]), np.arange(1, len(order) + 1)
    ranked = probability[order]
    scores = np.where(
        np.append(ranked[:-1] > ranked[1:], True), 2 * hits / (chosen + truth.sum()), -1
    )
    return below(probability, float(ranked[int(scores.argmax())]))


def fit_precision(probability: np.ndarray, truth: np.ndarray, least: float) -> float | None:
    """Return the lowest threshold of one label with a precision, estimated as in `fit_rejection`.

    Args:
        probability: Calibrated probability of the label, shape (n,).
        truth: Whether the label is true, shape (n,).
        least: Least precision.
    """
    return fit_rejection(probability, truth, 1 - least)


def fit_recall(probability: np.ndarray, truth: np.ndarray, least: float) -> float | None:
    """Return the highest threshold of one label with a recall.

    The share of missed examples is estimated as (missed + 1) / (positives + 1).

    Args:
        probability: Calibrated probability of the label, shape (n,).
        truth: Whether the label is true, shape (n,).
        least: Least recall.

    Returns:
        The threshold, or None with too few examples of the label.
    """
    positives = np.sort(probability[truth])
    missed = math.floor(round((1 - least) * (len(positives) + 1) - 1, 9))
    return None if missed < 0 else below(probability, float(positives[missed]))
