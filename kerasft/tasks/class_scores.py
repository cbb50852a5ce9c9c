"""Outputs and scores shared by tasks with classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.tasks.labels import Labels


def probabilities(labels: Labels, output: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Return rounded probabilities, as an array and as the columns `p(NAME)`."""
    # Six decimals are about the resolution of a probability in float32.
    rounded = np.round(output.astype("float64"), 6)
    return rounded, {f"p({n})": float(p) for n, p in zip(labels.names, rounded, strict=True)}


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


def served_classes(labels: Labels, predicted: Any) -> dict[str, Any]:
    """Return the probabilities of a served model and the class names."""
    import tensorflow as tf

    names = tf.constant(labels.names)
    classes = tf.tile(names[tf.newaxis], [tf.shape(predicted)[0], 1])
    return {"probabilities": predicted, "classes": classes}
