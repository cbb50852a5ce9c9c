"""What is minimised and what is measured, by task."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasft.config import MAIN_METRICS, Config
from kerasft.data import Labels
from kerasft.errors import SettingError, did_you_mean
from kerasft.models.blocks import find_blocks, flatten_layers
from kerasft.models.dials import DialedL1L2

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
_SCORES = {"loss": "min", "accuracy": "max", "precision": "max", "recall": "max", "f1": "max"}
# What can be monitored by task, and whether more is better.
DIRECTIONS = {
    "classification": _SCORES,
    "multilabel": _SCORES,
    "regression": {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"},
}


def choose_monitor(config: Config) -> tuple[str, str]:
    """Returns the validation metric that picks the best epoch, and `min` or `max`.

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
    """Returns the data loss of each example: cross-entropy, or the squared error.

    Args:
        config: Its label_smoothing is used.
        labels: Task and, for regression, transform and standard deviation of the training
            targets: the model speaks in their unit, the loss in standard deviations (of their
            logarithm for transform `log`), so that learning rates and penalties do not depend
            on the unit.

    Returns:
        A function of truth and predictions that gives one loss an example, shape (batch,).
    """
    if labels.task == "regression":
        return _standardized_squared_error(labels.std, logarithm=labels.transform == "log")
    if labels.task == "multilabel":
        return functools.partial(
            keras.losses.binary_crossentropy, label_smoothing=config.label_smoothing
        )
    if config.label_smoothing == 0:
        return keras.losses.sparse_categorical_crossentropy
    return _smoothed_cross_entropy(labels.num_outputs, config.label_smoothing)


def _standardized_squared_error(std: float, *, logarithm: bool) -> Callable[[Any, Any], Any]:
    def standardized_squared_error(y_true: Any, y_pred: Any) -> Any:
        y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        if logarithm:
            y_true, y_pred = ops.log(y_true), ops.log(y_pred)
        return ops.mean(ops.square((y_true - y_pred) / std), axis=-1)

    return standardized_squared_error


def _smoothed_cross_entropy(classes: int, smoothing: float) -> Callable[[Any, Any], Any]:
    def smoothed_cross_entropy(y_true: Any, y_pred: Any) -> Any:
        one_hot = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), classes)
        return keras.losses.categorical_crossentropy(one_hot, y_pred, label_smoothing=smoothing)

    return smoothed_cross_entropy


def make_metrics(labels: Labels) -> list[keras.metrics.Metric]:
    """Returns what is watched every epoch, on training and validation."""
    if labels.task == "regression":
        return [
            keras.metrics.RootMeanSquaredError(name="rmse"),
            keras.metrics.MeanAbsoluteError(name="mae"),
            _R2(name="r2"),
        ]
    multilabel = labels.task == "multilabel"
    accuracy = (
        keras.metrics.BinaryAccuracy(name="accuracy")
        if multilabel
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    macro = [
        MacroScore(kind, labels.num_outputs, multilabel=multilabel, name=kind)
        for kind in ("precision", "recall", "f1")
    ]
    return [accuracy, *macro]


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
        """Counts a batch; weights are ignored, as the score speaks of examples."""
        if self.multilabel:
            actual = ops.cast(y_true, "float32")
            predicted = ops.cast(y_pred >= 0.5, "float32")
        else:
            indices = ops.reshape(ops.cast(y_true, "int32"), (-1,))
            actual = ops.one_hot(indices, self.classes, dtype="float32")
            predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
        self.hits.assign_add(ops.sum(actual * predicted, axis=0))
        self.predicted.assign_add(ops.sum(predicted, axis=0))
        self.actual.assign_add(ops.sum(actual, axis=0))

    def result(self) -> Any:
        """Returns the mean over classes that were seen or predicted."""
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
        """Adds the loss of a batch."""
        each = self._loss(y_true, y_pred)
        if sample_weight is not None:
            each = each * ops.cast(ops.reshape(sample_weight, ops.shape(each)), each.dtype)
        batch_size = ops.cast(ops.shape(y_pred)[0], "float32")
        super().update_state(ops.mean(each), sample_weight=batch_size)


def regularize_backbone(model: keras.Model, *, l1: float, l2: float) -> None:
    """Puts an L1 and L2 penalty on the kernels of the backbone inside `model`.

    Keras counts it only while a kernel is trainable, and does not save it: call this after
    every build, before compiling. A penalty that is there already gets the new factors: a graph
    that was compiled with it follows.
    """
    penalty = DialedL1L2(l1, l2) if l1 or l2 else None
    for block in find_blocks(model):
        for layer in block.layers:
            for inner in flatten_layers(layer):
                for variable in inner.weights:
                    if variable.name not in _KERNELS:
                        continue
                    if penalty is not None and isinstance(variable.regularizer, DialedL1L2):
                        variable.regularizer.set(l1, l2)
                    else:
                        variable.regularizer = penalty
