"""How good predictions are: the metrics of every task, by scikit-learn."""

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
    """Return the metrics of predictions against the truth, by scikit-learn.

    Args:
        config: Its label_smoothing enters the loss.
        labels: Task and class names.
        y: As in `Split.y`.
        predictions: The model's outputs, shape (n, outputs).

    Returns:
        For regression loss (in standard deviations squared), mse, rmse, mae, r2 in the unit of
        the target, r2_log where it was learned on its logarithm, and for ordered classes
        (`Labels.scale`) accuracy_rounded, within_one (the share that is off by one
        class at most) and kappa (Cohen's, by squared distance); otherwise loss, accuracy,
        macro precision, recall and f1, `per_class`, and for one class an example
        `confusion_matrix` (rows: truth, columns: predicted).
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
    # R2 of fewer than two examples is not defined; NaN becomes null in the file.
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
    """Return what is asked of classes in an order, nothing where a target is no class."""
    from sklearn import metrics

    truth = np.rint(y).astype("int64")
    if np.any(truth != y):
        return {}
    # A number beyond the ends of the scale is taken for its end.
    lowest, highest = min(scale[0], int(truth.min())), max(scale[1], int(truth.max()))
    rounded = np.rint(np.clip(predicted, lowest, highest)).astype("int64")
    # Where all are of one class nothing could have been said by chance; NaN becomes null.
    alike = len(np.union1d(truth, rounded)) == 1
    # All classes between the ends, also those that do not occur: distances are counted in them.
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
    # Over the classes that occur, as the metrics of the training; scikit-learn leaves out those
    # that do not, but for several labels an example.
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
