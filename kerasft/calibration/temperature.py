"""Calibrated probabilities: a temperature for classes, a logistic curve for every label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SMALLEST = 1e-37  # a normal float32, so that no processor flushes it to 0
_INSIDE = 1e-7  # distance of a probability from 0 and 1, about the resolution of float32


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

    if not slopes:
        return probabilities
    inside = ops.clip(probabilities, _INSIDE, 1 - _INSIDE)
    odds = ops.log(inside) - ops.log1p(-inside)
    scale, shift = (ops.convert_to_tensor(values, "float32") for values in (slopes, offsets))
    return ops.sigmoid(odds * scale + shift)
