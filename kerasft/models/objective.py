"""Losses, metrics and monitors by task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasft.config import Config
from kerasft.errors import SettingError, did_you_mean
from kerasft.tasks import Labels, task_of
from kerasft.tasks.keras_metrics import MacroScore

__all__ = ["DataLoss", "MacroScore", "choose_monitor", "make_loss", "make_metrics"]


def choose_monitor(config: Config) -> tuple[str, str]:
    """Return the validation metric that selects the best epoch, and `min` or `max`.

    Args:
        config: Settings; `monitor` is used, by default `Task.default_monitor`.

    Raises:
        SettingError: The task does not have this metric.
    """
    task = task_of(config.task)
    known = task.directions
    name = config.monitor or f"val_{task.default_monitor(config)}"
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
    return labels.kind.make_loss(config, labels)


def make_metrics(labels: Labels) -> list[keras.metrics.Metric]:
    """Return the metrics that are computed every epoch, on training and validation data."""
    return labels.kind.make_metrics(labels)


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
