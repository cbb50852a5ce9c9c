"""Loss functions of tasks: one value per example, shape (batch,)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Loss = Callable[[Any, Any], Any]
# Errors of a number, by the setting `loss`; huber is half the squared error up to 1, and linear
# above.
ERRORS: dict[str, Loss] = {
    "squared": keras.losses.mean_squared_error,
    "absolute": keras.losses.mean_absolute_error,
    "huber": keras.losses.huber,
}


def class_loss(classes: int, *, focal: bool, smoothing: float, mixed: bool) -> Loss:
    """Return the cross-entropy for one class per example.

    Args:
        classes: Number of classes.
        focal: Whether to use the focal loss with gamma=2 and no class weights (Lin et al. 2017,
            arXiv 1708.02002).
        smoothing: Fraction of each label that is spread over all classes, in [0, 1).
        mixed: Whether labels may be soft labels (of mixed examples).
    """
    losses = keras.losses
    if focal:
        chosen = functools.partial(losses.categorical_focal_crossentropy, alpha=1.0)
        return _of_shares(classes, smoothing, chosen)
    if smoothing or mixed:
        return _of_shares(classes, smoothing, losses.categorical_crossentropy)
    return losses.sparse_categorical_crossentropy


def several_labels_loss(*, focal: bool, smoothing: float) -> Loss:
    """Return the binary or focal cross-entropy for several labels per example."""
    losses = keras.losses
    chosen = losses.binary_focal_crossentropy if focal else losses.binary_crossentropy
    return functools.partial(chosen, label_smoothing=smoothing)


def standardized_error(error: Loss, std: float, *, logarithm: bool) -> Loss:
    """Return the regression loss, in standard deviations of the training targets.

    Args:
        error: One of `ERRORS`.
        std: Standard deviation of the training targets, > 0.
        logarithm: Whether to compare logarithms.
    """

    def standardized_error(y_true: Any, y_pred: Any) -> Any:
        y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        if logarithm:
            y_true, y_pred = ops.log(y_true), ops.log(y_pred)
        deviations = (y_true - y_pred) / std
        return error(ops.zeros_like(deviations), deviations)

    return standardized_error


def _of_shares(classes: int, smoothing: float, loss: Callable[..., Any]) -> Loss:
    """Return a loss that accepts class indices or soft labels (of mixed examples)."""

    def cross_entropy(y_true: Any, y_pred: Any) -> Any:
        return loss(_shares_of(y_true, classes), y_pred, label_smoothing=smoothing)

    return cross_entropy


def _shares_of(y_true: Any, classes: int) -> Any:
    """Return labels as soft labels, shape (batch, classes); class indices become one-hot."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return y_true
    return ops.one_hot(class_of(y_true, classes), classes)


def class_of(y_true: Any, classes: int) -> Any:
    """Return labels as class indices, shape (batch,); soft labels become their argmax."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return ops.argmax(y_true, axis=-1)
    return ops.reshape(ops.cast(y_true, "int32"), (-1,))
