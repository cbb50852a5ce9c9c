"""Losses, metrics and monitors by task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasft.config import MAIN_METRICS, Config
from kerasft.data import Labels
from kerasft.errors import SettingError, did_you_mean

_SCORES = {"loss": "min", "accuracy": "max", "precision": "max", "recall": "max", "f1": "max"}
# Metrics that can be monitored by task, and whether to minimize or maximize them.
DIRECTIONS = {
    "classification": _SCORES,
    "multilabel": _SCORES,
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
}


def choose_monitor(config: Config) -> tuple[str, str]:
    """Return the validation metric that selects the best epoch, and `min` or `max`.

    Args:
        config: Settings; `monitor` is used. Its default is val_accuracy (classification), val_f1
            (multi-label), val_rmse (regression), or val_loss (regression on a logarithm).

    Raises:
        SettingError: The task does not have this metric.
    """
    known = DIRECTIONS[config.task]
    usual = "loss" if config.target_transform == "log" else MAIN_METRICS[config.task][0]
    name = config.monitor or f"val_{usual}"
    if name.removeprefix("val_") not in known or not name.startswith("val_"):
        raise SettingError(
            f"`monitor` must be one of {', '.join(f'val_{n}' for n in known)} for "
            f"task={config.task}. Received: monitor={name!r}."
            f"{did_you_mean(name, [f'val_{n}' for n in known])}"
        )
    return name, known[name.removeprefix("val_")]


def make_loss(config: Config, labels: Labels) -> Callable[[Any, Any], Any]:
    """Return the loss function without penalties; by default cross-entropy or squared error.

    For regression the model predicts in the unit of the target. The loss is computed in standard
    deviations of the training targets (of their logarithm for transform `log`), so that learning
    rates and penalties do not depend on the unit.

    Args:
        config: Settings; `loss` and `label_smoothing` are used. `focal` is the focal loss with
            gamma=2 and no class weights (Lin et al. 2017, arXiv 1708.02002). `huber` is half the
            squared error up to one standard deviation, and linear above.
        labels: Task and number of outputs; for regression also the transform and the standard
            deviation of the training targets.

    Returns:
        A function of targets and predictions that returns a loss per example, shape (batch,).
    """
    focal, smoothing = config.loss == "focal", config.label_smoothing
    if labels.task == "regression":
        kinds = {"absolute": keras.losses.mean_absolute_error, "huber": keras.losses.huber}
        kind = kinds.get(config.loss, keras.losses.mean_squared_error)
        return _standardized_error(labels.std, kind, logarithm=labels.transform == "log")
    if labels.task == "multilabel":
        losses = keras.losses
        chosen = losses.binary_focal_crossentropy if focal else losses.binary_crossentropy
        return functools.partial(chosen, label_smoothing=smoothing)
    if focal:
        losses = keras.losses
        chosen = functools.partial(losses.categorical_focal_crossentropy, alpha=1.0)
        return _of_shares(labels.num_outputs, smoothing, chosen)
    if smoothing or getattr(config, "mixup", 0) or getattr(config, "cutmix", 0):
        return _of_shares(labels.num_outputs, smoothing, keras.losses.categorical_crossentropy)
    return keras.losses.sparse_categorical_crossentropy


def _standardized_error(
    std: float, kind: Callable[[Any, Any], Any], *, logarithm: bool
) -> Callable[[Any, Any], Any]:
    def standardized_error(y_true: Any, y_pred: Any) -> Any:
        y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        if logarithm:
            y_true, y_pred = ops.log(y_true), ops.log(y_pred)
        error = (y_true - y_pred) / std
        return kind(ops.zeros_like(error), error)

    return standardized_error


def _of_shares(classes: int, smoothing: float, loss: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loss that accepts class indices or soft labels (of mixed examples)."""

    def cross_entropy(y_true: Any, y_pred: Any) -> Any:
        return loss(_shares_of(y_true, classes), y_pred, label_smoothing=smoothing)

    return cross_entropy


def _shares_of(y_true: Any, classes: int) -> Any:
    """Return labels as soft labels, shape (batch, classes); class indices become one-hot."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return y_true
    return ops.one_hot(_class_of(y_true, classes), classes)


def _class_of(y_true: Any, classes: int) -> Any:
    """Return labels as class indices, shape (batch,); soft labels become their argmax."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return ops.argmax(y_true, axis=-1)
    return ops.reshape(ops.cast(y_true, "int32"), (-1,))


def make_metrics(labels: Labels) -> list[keras.metrics.Metric]:
    """Return the metrics that are computed every epoch, on training and validation data."""
    if labels.task == "regression":
        return [
            keras.metrics.RootMeanSquaredError(name="rmse"),
            keras.metrics.MeanAbsoluteError(name="mae"),
            _R2(name="r2"),
        ]
    multilabel = labels.task == "multilabel"
    accuracy = _LabelAccuracy(name="accuracy") if multilabel else _Accuracy(labels.num_outputs)
    macro = [
        MacroScore(kind, labels.num_outputs, multilabel=multilabel, name=kind)
        for kind in ("precision", "recall", "f1")
    ]
    return [accuracy, *macro]


class _Accuracy(keras.metrics.SparseCategoricalAccuracy):
    """Keras' accuracy for class indices and soft labels, whose argmax counts."""

    def __init__(self, classes: int) -> None:
        super().__init__(name="accuracy")
        self.classes = classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(_class_of(y_true, self.classes), y_pred, sample_weight)


class _LabelAccuracy(keras.metrics.BinaryAccuracy):
    """Keras' multi-label accuracy for binary and soft labels, which count as 1 from 0.5 on."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(ops.cast(y_true >= 0.5, y_pred.dtype), y_pred, sample_weight)


class _R2(keras.metrics.R2Score):
    """Keras' R2Score for targets of shape (batch,) as well as (batch, 1)."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(ops.reshape(y_true, (-1, 1)), y_pred, sample_weight)


class MacroScore(keras.metrics.Metric):
    """Macro precision, recall or F1: the mean over the classes that occur, as in scikit-learn.

    Keras' Precision, Recall and F1Score do not accept integer labels of several classes.

    Args:
        kind: Score: `precision`, `recall` or `f1`.
        classes: Number of classes.
        multilabel: Whether labels are multi-hot and predictions are thresholded at 0.5, instead of
            class indices and the argmax.
        name: Name of the metric.
    """

    def __init__(self, kind: str, classes: int, *, multilabel: bool = False, name: str) -> None:
        super().__init__(name=name)
        self.kind, self.classes, self.multilabel = kind, classes, multilabel
        self.hits = self.add_weight(shape=(classes,), initializer="zeros", name="hits")
        self.predicted = self.add_weight(shape=(classes,), initializer="zeros", name="predicted")
        self.actual = self.add_weight(shape=(classes,), initializer="zeros", name="actual")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the counts of a batch, without sample weights: the score is unweighted."""
        if self.multilabel:
            actual = ops.cast(y_true >= 0.5, "float32")
            predicted = ops.cast(y_pred >= 0.5, "float32")
        else:
            actual = ops.one_hot(_class_of(y_true, self.classes), self.classes, dtype="float32")
            predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
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


class DataLoss(keras.metrics.Mean):
    """The loss without L1 and L2 penalties, averaged like Keras averages the loss of an epoch.

    Keras' `loss` minus this metric is the penalty, up to rounding: both are computed with the
    weights before the step.

    Args:
        loss: Loss function from `make_loss`.
    """

    def __init__(self, loss: Callable[[Any, Any], Any]) -> None:
        super().__init__(name="data_loss")
        self._loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the loss of a batch."""
        each = self._loss(y_true, y_pred)
        if sample_weight is not None:
            each = each * ops.cast(ops.reshape(sample_weight, ops.shape(each)), each.dtype)
        batch_size = ops.cast(ops.shape(y_pred)[0], "float32")
        super().update_state(ops.mean(each), sample_weight=batch_size)
