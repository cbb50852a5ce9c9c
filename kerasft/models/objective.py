"""What is minimized and what is measured, by task."""

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
# What can be monitored by task, and whether more is better.
DIRECTIONS = {
    "classification": _SCORES,
    "multilabel": _SCORES,
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
}


def choose_monitor(config: Config) -> tuple[str, str]:
    """Return the validation metric that picks the best epoch, and `min` or `max`.

    Args:
        config: Its monitor is used; without one val_accuracy, val_f1 (multi-label), val_rmse
            (regression), or val_loss (regression on a logarithm, whose loss is the error there).

    Raises:
        SettingError: The metric is not one of the task.
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
    """Return the data loss of each example: cross-entropy, or the squared error, or as chosen.

    Args:
        config: Its loss and label_smoothing are used. `focal` is the focal loss with a focus of
            2 (Lin et al. 2017, arXiv 1708.02002), without weights of classes; `huber` is the
            squared error, halved, below one standard deviation and linear above.
        labels: Task and, for regression, transform and standard deviation of the training
            targets: the model speaks in their unit, the loss in standard deviations (of their
            logarithm for transform `log`), so that learning rates and penalties do not depend
            on the unit.

    Returns:
        A function of truth and predictions that gives one loss an example, shape (batch,).
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
    """Return a loss that takes shares of classes, as mixed examples have them, or indices."""

    def cross_entropy(y_true: Any, y_pred: Any) -> Any:
        return loss(_shares_of(y_true, classes), y_pred, label_smoothing=smoothing)

    return cross_entropy


def _shares_of(y_true: Any, classes: int) -> Any:
    """Return the share that each class has of an example: 1 and 0 where it is of one class."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return y_true
    return ops.one_hot(_class_of(y_true, classes), classes)


def _class_of(y_true: Any, classes: int) -> Any:
    """Return the index of the class of each example, of mixed ones that with the largest share."""
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes:
        return ops.argmax(y_true, axis=-1)
    return ops.reshape(ops.cast(y_true, "int32"), (-1,))


def make_metrics(labels: Labels) -> list[keras.metrics.Metric]:
    """Return what is watched every epoch, on training and validation."""
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
    """Keras' accuracy, also of mixed examples: their largest share counts."""

    def __init__(self, classes: int) -> None:
        super().__init__(name="accuracy")
        self.classes = classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(_class_of(y_true, self.classes), y_pred, sample_weight)


class _LabelAccuracy(keras.metrics.BinaryAccuracy):
    """Keras' accuracy of several labels, also of mixed examples: half a label counts as one."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(ops.cast(y_true >= 0.5, y_pred.dtype), y_pred, sample_weight)


class _R2(keras.metrics.R2Score):
    """Keras' R2Score for targets of shape (batch,) as well as (batch, 1)."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(ops.reshape(y_true, (-1, 1)), y_pred, sample_weight)


class MacroScore(keras.metrics.Metric):
    """Precision, recall or F1, averaged over the classes that occur (as scikit-learn's macro).

    Keras' own Precision, Recall and F1Score refuse integer labels of several classes.

    Args:
        kind: `precision`, `recall` or `f1`.
        classes: Number of classes or labels.
        multilabel: Whether labels are 0/1 rows and predictions are cut at 0.5, instead of
            integers and the largest probability.
    """

    def __init__(self, kind: str, classes: int, *, multilabel: bool = False, name: str) -> None:
        super().__init__(name=name)
        self.kind, self.classes, self.multilabel = kind, classes, multilabel
        self.hits = self.add_weight(shape=(classes,), initializer="zeros", name="hits")
        self.predicted = self.add_weight(shape=(classes,), initializer="zeros", name="predicted")
        self.actual = self.add_weight(shape=(classes,), initializer="zeros", name="actual")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; weights are ignored, as the score speaks of examples."""
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
        """Return the mean over classes that were seen or predicted."""
        below = {
            "precision": self.predicted,
            "recall": self.actual,
            "f1": (self.predicted + self.actual) / 2,
        }[self.kind]
        scores = ops.where(below > 0, self.hits / ops.maximum(below, 1e-9), 0.0)
        occurs = ops.cast(self.predicted + self.actual > 0, "float32")
        return ops.sum(scores * occurs) / ops.maximum(ops.sum(occurs), 1.0)


class DataLoss(keras.metrics.Mean):
    """The loss without L1 and L2 penalties, weighted as Keras weights the loss of an epoch.

    What Keras calls `loss` minus this is the penalty, to the last bit of the sums: both are taken
    with the weights before the step.

    Args:
        loss: As `make_loss` gives it.
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
