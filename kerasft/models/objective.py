"""Losses, metrics and monitors by task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasft.config import Config
from kerasft.errors import SettingError, did_you_mean
from kerasft.models.replicas import mean_over_replicas
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
    return [OverExamples(metric) for metric in labels.kind.make_metrics(labels)]


class DataLoss(keras.metrics.Metric):
    """The loss without L1 and L2 penalties: `data_loss` and `row_loss`.

    Both average the losses of batches. `data_loss` weights them by their examples; rows of weight
    0, which fill a batch for several devices, are not examples. `row_loss` weights them by all
    rows, as Keras weights its `loss`, which minus `row_loss` is the penalty, up to rounding: both
    are computed with the weights before the step.

    Args:
        loss: Loss function from `make_loss`.
    """

    def __init__(self, loss: Callable[[Any, Any], Any]) -> None:
        super().__init__(name="data_loss")
        self._loss = loss
        self.of_examples = keras.metrics.Mean(name="data_loss")
        self.of_rows = keras.metrics.Mean(name="row_loss")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add the loss of a batch."""
        each = self._loss(y_true, y_pred)
        rows = examples = ops.cast(ops.shape(y_pred)[0], "float32")
        if sample_weight is not None:
            weights = ops.cast(ops.reshape(sample_weight, ops.shape(each)), each.dtype)
            each = each * weights
            examples = mean_over_replicas(ops.sum(ops.cast(weights != 0, "float32")))
        batch = ops.mean(each)
        self.of_examples.update_state(batch, sample_weight=examples)
        self.of_rows.update_state(batch, sample_weight=rows)

    def result(self) -> dict[str, Any]:
        """Return both losses by their names."""
        return {"data_loss": self.of_examples.result(), "row_loss": self.of_rows.result()}

    def reset_state(self) -> None:
        """Forget all batches."""
        self.of_examples.reset_state()
        self.of_rows.reset_state()


class OverExamples(keras.metrics.Metric):
    """A metric that leaves out rows of weight 0 and ignores other sample weights.

    Args:
        metric: Metric that accepts sample weights.
    """

    def __init__(self, metric: keras.metrics.Metric) -> None:
        super().__init__(name=metric.name)
        self.metric = metric

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        if sample_weight is not None:
            sample_weight = ops.cast(ops.reshape(sample_weight, (-1,)) != 0, "float32")
        self.metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self) -> Any:
        """Return the value over the examples so far."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all batches."""
        self.metric.reset_state()
