"""Keras metrics that are computed every epoch, on training and validation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasft.calibration import DEFAULT_THRESHOLD
from kerasft.tasks.losses import class_of


def macro_scores(classes: int, *, multilabel: bool) -> list[MacroScore]:
    """Return macro precision, recall and f1."""
    return [
        MacroScore(kind, classes, multilabel=multilabel, name=kind)
        for kind in ("precision", "recall", "f1")
    ]


def number_metrics() -> list[keras.metrics.Metric]:
    """Return rmse, mae and r2 in the unit of the target."""
    return [
        keras.metrics.RootMeanSquaredError(name="rmse"),
        keras.metrics.MeanAbsoluteError(name="mae"),
        R2(name="r2"),
    ]


class Accuracy(keras.metrics.SparseCategoricalAccuracy):
    """Keras' accuracy for class indices and soft labels, which become their argmax."""

    def __init__(self, classes: int) -> None:
        super().__init__(name="accuracy")
        self.classes = classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(class_of(y_true, self.classes), y_pred, sample_weight)


class LabelAccuracy(keras.metrics.BinaryAccuracy):
    """Keras' multi-label accuracy for binary and soft labels, thresholded at the default."""

    def __init__(self) -> None:
        super().__init__(name="accuracy")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(
            ops.cast(y_true >= DEFAULT_THRESHOLD, y_pred.dtype), y_pred, sample_weight
        )


class R2(keras.metrics.R2Score):
    """Keras' R2Score for targets of shape (batch,) as well as (batch, 1)."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(ops.reshape(y_true, (-1, 1)), y_pred, sample_weight)


class MacroScore(keras.metrics.Metric):
    """Macro precision, recall or F1: the mean over the classes that occur, as in scikit-learn.

    Keras' Precision, Recall and F1Score do not accept integer labels of several classes.

    Args:
        kind: Score: `precision`, `recall` or `f1`.
        classes: Number of classes.
        multilabel: Whether labels are multi-hot and predictions are thresholded at the default,
            instead of class indices and the argmax.
        name: Name of the metric.
    """

    def __init__(self, kind: str, classes: int, *, multilabel: bool = False, name: str) -> None:
        super().__init__(name=name)
        self.kind, self.classes, self.multilabel = kind, classes, multilabel
        self.hits = self.add_weight(shape=(classes,), initializer="zeros", name="hits")
        self.predicted = self.add_weight(shape=(classes,), initializer="zeros", name="predicted")
        self.actual = self.add_weight(shape=(classes,), initializer="zeros", name="actual")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of a batch, of each example as often as its weight says."""
        if self.multilabel:
            actual = ops.cast(y_true >= DEFAULT_THRESHOLD, "float32")
            predicted = ops.cast(y_pred >= DEFAULT_THRESHOLD, "float32")
        else:
            actual = ops.one_hot(class_of(y_true, self.classes), self.classes, dtype="float32")
            predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
            actual, predicted = actual * weights, predicted * weights
        self.hits.assign_add(ops.sum(actual * predicted, axis=0))
        self.predicted.assign_add(ops.sum(predicted, axis=0))
        self.actual.assign_add(ops.sum(actual, axis=0))

    def result(self) -> Any:
        """Return the mean over the classes that occur in the targets or predictions."""
        below = {
            "precision": self.predicted,
            "recall": self.actual,
            "f1": (self.predicted + self.actual) / 2,
        }[self.kind]
        scores = ops.where(below > 0, self.hits / ops.maximum(below, 1e-9), 0.0)
        occurs = ops.cast(self.predicted + self.actual > 0, "float32")
        return ops.sum(scores * occurs) / ops.maximum(ops.sum(occurs), 1.0)
