"""Evaluation metrics of every task, computed with scikit-learn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Labels
from kerasft.models import make_loss


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
        training targets. Regression on a logarithm also reports `r2_log`. Ordinal labels
        (`Labels.scale`) also report rounded accuracy (`accuracy_rounded`), accuracy within ±1
        (`within_one`) and quadratic kappa (`kappa`, Cohen's).
    """
    loss = make_loss(config, labels)(
        keras.ops.convert_to_tensor(y), keras.ops.convert_to_tensor(predictions)
    )
    found = {"loss": float(np.mean(keras.ops.convert_to_numpy(loss))), "examples": len(y)}
    if labels.task == "regression":
        return {**found, **_regression(labels, y, predictions[:, 0])}
    return {**found, **_classes(labels, y, predictions)}


def _regression(labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    mse = float(metrics.mean_squared_error(y, predicted))
    # R2 is undefined for fewer than two examples; NaN becomes null in JSON.
    r2 = float(metrics.r2_score(y, predicted)) if len(y) > 1 else float("nan")
    scale = {}
    if labels.transform == "log" and len(y) > 1:
        scale["r2_log"] = float(metrics.r2_score(np.log(y), np.log(predicted)))
    return {
        **scale,
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(metrics.mean_absolute_error(y, predicted)),
        "r2": r2,
        **(_ordered(labels.scale, y, predicted) if labels.scale else {}),
    }


def _ordered(scale: tuple[int, int], y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return the metrics of ordinal labels, or an empty dict if a target is not an integer."""
    from sklearn import metrics

    truth = np.rint(y).astype("int64")
    if np.any(truth != y):
        return {}
    # Predictions beyond the ends of the scale are clipped to it.
    lowest, highest = min(scale[0], int(truth.min())), max(scale[1], int(truth.max()))
    rounded = np.rint(np.clip(predicted, lowest, highest)).astype("int64")
    # Kappa is undefined if only one class occurs; NaN becomes null in JSON.
    alike = len(np.union1d(truth, rounded)) == 1
    # List all classes of the scale, because kappa measures distances by position in this list.
    kappa = (
        float("nan")
        if alike
        else metrics.cohen_kappa_score(
            truth, rounded, labels=range(lowest, highest + 1), weights="quadratic"
        )
    )
    return {
        "accuracy_rounded": float(np.mean(truth == rounded)),
        "within_one": float(np.mean(np.abs(truth - rounded) <= 1)),
        "kappa": float(kappa),
    }


def _classes(labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    from sklearn import metrics

    multilabel = labels.task == "multilabel"
    predicted: Any = predictions >= 0.5 if multilabel else predictions.argmax(axis=1)
    truth: Any = y.astype(bool) if multilabel else y
    each = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(labels.num_outputs), zero_division=0.0
    )
    # Average over the classes that occur, like the metrics in training. scikit-learn does so too,
    # except for multi-label targets.
    occurs = (
        np.flatnonzero((truth | predicted).any(axis=0))
        if multilabel
        else np.union1d(truth, predicted).astype(int)
    )
    macro = [scores[occurs].mean() if len(occurs) else 0.0 for scores in each[:3]]
    found: dict[str, Any] = {
        "accuracy": float(np.mean(truth == predicted)),
        "precision": float(macro[0]),
        "recall": float(macro[1]),
        "f1": float(macro[2]),
        "per_class": [
            {
                "name": name,
                "precision": float(p),
                "recall": float(r),
                "f1": float(f),
                "support": int(s),
            }
            for name, p, r, f, s in zip(labels.names, *each, strict=True)
        ],
    }
    if not multilabel:
        matrix = metrics.confusion_matrix(truth, predicted, labels=range(labels.num_outputs))
        found["confusion_matrix"] = matrix.tolist()
    return found
