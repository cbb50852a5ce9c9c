"""Calibrated probabilities: a temperature for classes, a logistic curve for every label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasft.calibration.cross_validation import LEAST, held_out
from kerasft.calibration.reliability import class_losses, label_losses

_SMALLEST = 1e-37  # a normal float32, so that no processor flushes it to 0
_INSIDE = 1e-7  # distance of a probability from 0 and 1, about the resolution of float32
_RANGE = (0.05, 20.0)  # of a temperature
_STEPS = 30  # of Newton's method


def scale_classes(probabilities: Any, temperature: float) -> Any:
    """Return the probabilities of classes at another temperature, shape (n, classes).

    Args:
        probabilities: Probabilities of the classes, shape (n, classes).
        temperature: Divisor of the log-probabilities; 1 changes nothing.
    """
    from keras import ops

    if temperature == 1:
        return probabilities
    return ops.softmax(ops.log(ops.maximum(probabilities, _SMALLEST)) / temperature, axis=-1)


def scale_labels(probabilities: Any, slopes: Sequence[float], offsets: Sequence[float]) -> Any:
    """Return the probabilities of labels with other log-odds (Platt 1999), shape (n, labels).

    Args:
        probabilities: Probabilities of the labels, shape (n, labels).
        slopes: Factor of the log-odds of each label; empty changes nothing.
        offsets: Summand of the log-odds of each label.
    """
    from keras import ops

    if not len(slopes):
        return probabilities
    inside = ops.clip(probabilities, _INSIDE, 1 - _INSIDE)
    odds = ops.log(inside) - ops.log1p(-inside)
    scale, shift = (ops.convert_to_tensor(values, "float32") for values in (slopes, offsets))
    return ops.sigmoid(odds * scale + shift)


def fit_temperature(probabilities: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the temperature with the least log loss (Guo et al. 2017, arXiv 1706.04599).

    It is 1 where it does not lower the log loss of examples that it was not fitted on.

    Returns:
        The temperature, and the probabilities of every example at one fitted on other examples.

    Args:
        probabilities: Probabilities of the classes, shape (n, classes).
        y: Class indices, shape (n,).
    """
    if len(y) < LEAST:
        return 1.0, probabilities
    scaled = held_out(
        probabilities, y, lambda p, y, other: at_temperature(other, _best_temperature(p, y))
    )
    if class_losses(scaled, y).mean() >= class_losses(probabilities, y).mean():
        return 1.0, probabilities
    return _best_temperature(probabilities, y), scaled


def _best_temperature(probabilities: np.ndarray, y: np.ndarray) -> float:
    """Return the temperature with the least log loss and a normal prior around slope 1.

    Without the prior, examples without an error would make every probability 1.
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        temperature = float(np.exp(logarithm))
        losses = class_losses(at_temperature(probabilities, temperature), y)
        return float(losses.sum() + 0.5 * (1 / temperature - 1) ** 2)

    found = minimize_scalar(
        loss,
        bounds=np.log(_RANGE),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(f"{np.exp(found.x):.4g}")


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return what `scale_classes` returns, for a fit or a chart without Keras."""
    from scipy.special import softmax

    logits = np.log(np.maximum(probabilities, _SMALLEST)) / np.float32(temperature)
    return np.asarray(softmax(logits, axis=1))


def fit_scales(
    probabilities: np.ndarray, y: np.ndarray
) -> tuple[tuple[float, ...], tuple[float, ...], np.ndarray]:
    """Return slope and offset of the log-odds of each label, both empty where none is changed.

    A label keeps slope 1 and offset 0 where others do not lower the log loss of examples that they
    were not fitted on.

    Args:
        probabilities: Probabilities of the labels, shape (n, labels).
        y: Targets of 0 and 1, shape (n, labels).

    Returns:
        Slopes, offsets, and the probabilities of every example with those of other examples.
    """
    if len(y) < LEAST:
        return (), (), probabilities
    scaled = held_out(probabilities, y, lambda p, y, other: _scaled(other, *_best_scales(p, y)))
    better = label_losses(scaled, y).mean(axis=0) < label_losses(probabilities, y).mean(axis=0)
    if not better.any():
        return (), (), probabilities
    slopes, offsets = _best_scales(probabilities, y)
    return (
        tuple(float(f"{a:.4g}") for a in np.where(better, slopes, 1.0)),
        tuple(float(f"{b:.4g}") for b in np.where(better, offsets, 0.0)),
        np.where(better, scaled, probabilities),
    )


def _scaled(probabilities: np.ndarray, slopes: Any, offsets: Any) -> np.ndarray:
    """Return what `scale_labels` returns, for a fit without Keras."""
    from scipy.special import expit

    return np.asarray(expit(_log_odds(probabilities) * slopes + offsets))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    inside = np.clip(probabilities.astype("float64"), _INSIDE, 1 - _INSIDE)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _best_scales(probabilities: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and offsets by Newton's method, for all labels at once.

    A normal prior around slope 1 and offset 0 keeps labels with few examples near them.
    """
    odds = _log_odds(probabilities)
    slopes, offsets = np.ones(odds.shape[1]), np.zeros(odds.shape[1])
    for _ in range(_STEPS):
        p = _scaled(probabilities, slopes, offsets)
        error, weight = p - y, p * (1 - p)
        gradient = (error * odds).sum(axis=0) + slopes - 1, error.sum(axis=0) + offsets
        a, b, c = (weight * odds**2).sum(0) + 1, (weight * odds).sum(0), weight.sum(0) + 1
        area = a * c - b * b
        steps = (
            (c * gradient[0] - b * gradient[1]) / area,
            (a * gradient[1] - b * gradient[0]) / area,
        )
        slopes = np.maximum(slopes - np.clip(steps[0], -0.5, 0.5), 0.01)
        offsets = offsets - np.clip(steps[1], -1, 1)
    return slopes, offsets
