"""How far probabilities are from the shares of correct predictions."""

from __future__ import annotations

import numpy as np

_BINS = 10
_SMALLEST = 1e-12  # probability in a logarithm


def reliability(confidence: np.ndarray, correct: np.ndarray) -> list[tuple[float, float, int]]:
    """Return mean probability, share of correct predictions and their number, in ten bins.

    Args:
        confidence: Probability of each prediction, shape (n,).
        correct: Whether each is correct, shape (n,).
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        (
            float(confidence[bins == b].mean()),
            float(correct[bins == b].mean()),
            int((bins == b).sum()),
        )
        for b in range(_BINS)
        if (bins == b).any()
    ]


def calibration_error(points: list[tuple[float, float, int]]) -> float:
    """Return the expected calibration error (Guo et al. 2017, arXiv 1706.04599)."""
    total = sum(count for _, _, count in points)
    return sum(count * abs(mean - share) for mean, share, count in points) / total


def class_reliability(probabilities: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return log loss and expected calibration error of the probabilities of classes."""
    correct = probabilities.argmax(axis=1) == y
    points = reliability(probabilities.max(axis=1), correct)
    return {
        "log_loss": float(class_losses(probabilities, y).mean()),
        "calibration_error": calibration_error(points),
    }


def label_reliability(probabilities: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return log loss and expected calibration error of the probabilities of all labels."""
    points = reliability(probabilities.ravel(), y.ravel() > 0)
    return {
        "log_loss": float(label_losses(probabilities, y).mean()),
        "calibration_error": calibration_error(points),
    }


def class_losses(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the log loss of every example, shape (n,)."""
    return _log_loss(probabilities[np.arange(len(y)), y.astype(int)])


def label_losses(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the log loss of every label of every example, shape (n, labels)."""
    return _log_loss(np.where(y > 0, probabilities, 1 - probabilities))


def _log_loss(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log(np.maximum(probabilities, _SMALLEST)))
