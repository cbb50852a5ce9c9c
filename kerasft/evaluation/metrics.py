"""Evaluation metrics of every task, computed with scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasft.calibration import Calibration
from kerasft.config import Config
from kerasft.data import Labels
from kerasft.models import make_loss
from kerasft.tasks import Task
from kerasft.tasks.intervals import score_interval


def measure(
    config: Config, labels: Labels, y: np.ndarray, predictions: np.ndarray
) -> dict[str, Any]:
    """Return the metrics of predictions, computed with scikit-learn.

    Args:
        config: Settings; those of the loss, such as `label_smoothing`, are used.
        labels: Task and class names.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        predictions: Outputs of the model, shape (n, outputs).

    Returns:
        `examples` (count), `loss`, and the metrics of the task. Classification and multi-label:
        `accuracy`, macro `precision`, `recall` and `f1`, and `per_class`; for classification also
        `confusion_matrix` (rows: true class, columns: predicted class). Regression: `mse`, `rmse`,
        `mae` in the unit of the target, and `r2`; the loss is in standard deviations of the
        training targets. It also reports the correlations `pearson` and `spearman`, unless the
        targets or the predictions are constant. Regression on a logarithm also reports `r2_log`.
        Ordinal labels (`Labels.scale`) also report rounded accuracy (`accuracy_rounded`), accuracy
        within ±1 (`within_one`) and quadratic kappa (`kappa`, Cohen's).
    """
    loss = float(np.mean(example_losses(config, labels, y, predictions)))
    return {"loss": loss, "examples": len(y), **labels.kind.measure(labels, y, predictions)}


def example_losses(
    config: Config, labels: Labels, y: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Return the loss of every example, shape (n,); see `measure` for the arguments."""
    loss = make_loss(config, labels)(
        keras.ops.convert_to_tensor(y), keras.ops.convert_to_tensor(predictions)
    )
    losses: np.ndarray = keras.ops.convert_to_numpy(loss)
    return losses


def measure_calibrated(
    labels: Labels,
    y: np.ndarray,
    outputs: np.ndarray,
    calibration: Calibration,
    known_scores: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the scores of calibrated answers as `calibrated`; nothing where none is fitted.

    Args:
        labels: Task and class names.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        outputs: Outputs of the model, shape (n, outputs).
        calibration: Calibration of the run.
        known_scores: Scores of known inputs, shape (n,); None without.
    """
    if calibration == Calibration():
        return {}
    decided = labels.kind.decide(labels, outputs, calibration)
    arrays = {name: keras.ops.convert_to_numpy(value) for name, value in decided.items()}
    found = labels.kind.measure_decided(labels, y, arrays)
    if calibration.known is not None and known_scores is not None:
        found["known"] = float((known_scores >= calibration.known.threshold).mean())
    return {"calibrated": found}


def measure_answers(
    labels: Labels, y: np.ndarray, decided: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return the metrics of the answers of a model, whatever it decides by.

    Args:
        labels: Task and class names.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        decided: Arrays of `Task.decide`, such as those of an exported model.

    Returns:
        As from `evaluate`, without `loss`, which only outputs before calibration have.
    """
    task = labels.kind
    predicted = task.predictions(decided)
    calibrated = task.measure_decided(labels, y, decided)
    if "known" in decided:
        calibrated["known"] = float(decided["known"].mean())
    return {
        "examples": len(y),
        **with_interval(task, task.score(labels, y, predicted), y, predicted),
        **({"calibrated": calibrated} if calibrated else {}),
    }


def with_interval(
    task: Task, metrics: Mapping[str, Any], y: np.ndarray, predicted: np.ndarray
) -> dict[str, Any]:
    """Return metrics with the `confidence_interval` of the main one.

    Args:
        task: The task.
        metrics: Its metrics.
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        predicted: Predictions or outputs of the model; those of a number in any shape.
    """
    name = task.main_metric
    interval = score_interval(task, metrics[name], len(y), y, predicted.reshape(len(y), -1))
    found = {} if interval is None else {name: list(interval)}
    return {**metrics, "confidence_interval": found}
