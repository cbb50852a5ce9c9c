"""Outputs and scores shared by tasks with classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.calibration import Calibration
from kerasft.tasks.labels import Labels

_TOP = 5  # classes in `top_classes` of a served model


def rounded(probability: Any) -> float:
    """Return a probability with six decimals, about its resolution in float32."""
    return round(float(probability), 6)


def probability_columns(labels: Labels, probabilities: np.ndarray) -> dict[str, float]:
    """Return the columns `p(NAME)` of a row of `predict`."""
    return {f"p({n})": rounded(p) for n, p in zip(labels.names, probabilities, strict=True)}


def chosen(labels: Labels, members: np.ndarray) -> list[str]:
    """Return the names of the classes whose boolean is true."""
    return [name for name, inside in zip(labels.names, members, strict=True) if inside]


def known_inputs(
    calibration: Calibration, features: Any, probabilities: Any = None
) -> dict[str, Any]:
    """Return `known` and `known_score` of each example; nothing where they are not fitted.

    Args:
        calibration: Calibration of the run.
        features: Inputs of the output layer, shape (n, width), or None.
        probabilities: Outputs of the model, shape (n, classes); None without single classes.
    """
    if calibration.known is None or features is None:
        return {}
    scores = calibration.known.scores(features, probabilities)
    return {"known": scores >= calibration.known.threshold, "known_score": scores}


def known_columns(decided: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the columns `known` and `known_score` of a row of `predict`, where there are any."""
    if "known" not in decided:
        return {}
    return {"known": bool(decided["known"]), "known_score": rounded(decided["known_score"])}


def class_scores(labels: Labels, truth: Any, predicted: Any, occurs: np.ndarray) -> dict[str, Any]:
    """Return accuracy, macro precision, recall and f1, and the scores of every class.

    Args:
        labels: Labels with the class names.
        truth: Class indices of shape (n,), or booleans of shape (n, classes) for several labels.
        predicted: Predictions in the same form.
        occurs: Indices of the classes in the macro averages: those that occur in truth or
            predictions, as in the training metrics.
    """
    from sklearn import metrics

    each = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(labels.num_outputs), zero_division=0.0
    )
    macro = [scores[occurs].mean() if len(occurs) else 0.0 for scores in each[:3]]
    return {
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


def served_classes(labels: Labels, probabilities: Any) -> dict[str, Any]:
    """Return the probabilities of a served model and the class names."""
    import tensorflow as tf

    names = tf.constant(labels.names)
    classes = tf.tile(names[tf.newaxis], [tf.shape(probabilities)[0], 1])
    return {"probabilities": probabilities, "classes": classes}


def served_top(labels: Labels, probabilities: Any) -> dict[str, Any]:
    """Return the most probable classes of a served model, at most five, and their probabilities."""
    import tensorflow as tf

    top = tf.math.top_k(probabilities, k=min(_TOP, labels.num_outputs))
    names = tf.constant(labels.names)
    return {"top_classes": tf.gather(names, top.indices), "top_probabilities": top.values}
