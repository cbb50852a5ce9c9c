"""The score of frozen features without training, which a fit must exceed to be of use.

For one class per example, the class whose mean direction is nearest (Mensink et al. 2013,
doi 10.1109/TPAMI.2013.83); for numbers of pairs in towers, the cosine of both vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.data import Split
from kerasft.formatting import number
from kerasft.models.towers import initial_weights
from kerasft.runs import write_manifest
from kerasft.training.context import FitContext
from kerasft.training.head_features import HeadFeatures

NEAREST_MEAN, COSINE = "nearest class mean", "cosine of the pair"


def record_untrained(context: FitContext, features: HeadFeatures) -> None:
    """Measure what needs no training on the validation split, and record it in the run.

    It is measured where the first phase trains the output layer alone and its features are cached,
    so in a moment.

    Args:
        context: Context of a training that has not begun.
        features: Features of its first phase.
    """
    run = context.recorder.run
    if run is None or context.devices.ranks.rank or not (features.cached and features.alone):
        return
    found = _measured(context, features)
    if not found:
        return
    write_manifest(run, untrained=found)
    name = found["metric"]
    context.log(f"start  {found['by']}, without training: val_{name} {number(found[name])}")


def _measured(context: FitContext, features: HeadFeatures) -> dict[str, Any]:
    """Return the scores, empty where there is nothing to measure."""
    train, validation = context.data.train, context.data.validation
    labels, names = context.data.labels, context.data.labels.kind.main_metrics
    if features.model is None or not (isinstance(train, Split) and isinstance(validation, Split)):
        return {}
    if initial_weights(context.config):
        by, names = COSINE, ("spearman", "pearson")
        outputs = features.validation[1].sum(axis=1, keepdims=True)
    elif labels.kind.class_weight:  # one class per example
        by, (known, vectors) = NEAREST_MEAN, features.train
        outputs = nearest_means(vectors, train.y[known], features.validation[1], labels.num_outputs)
    else:
        return {}
    if not np.isfinite(outputs).all():
        return {}  # an overflow of float16, which training reports
    scores = labels.kind.measure(labels, validation.y[features.validation[0]], outputs)
    found = {name: scores[name] for name in names if name in scores}
    return {"by": by, "metric": names[0], **found} if names[0] in found else {}


def nearest_means(
    features: np.ndarray, y: np.ndarray, others: np.ndarray, classes: int
) -> np.ndarray:
    """Return the cosine of feature vectors with the mean direction of each class.

    Args:
        features: Feature vectors of training examples, shape (n, width).
        y: Their classes, shape (n,).
        others: Feature vectors of other examples, shape (m, width).
        classes: Number of classes; one without an example is never nearest.

    Returns:
        Shape (m, classes), from -1 to 1.

    Example:
        >>> nearest_means(np.eye(2), np.array([0, 1]), np.array([[3.0, 1.0]]), 2).argmax()
        0
    """
    cosines = _unit(others) @ class_directions(features, y, classes).T
    cosines[:, np.bincount(y, minlength=classes) == 0] = -1
    return cosines


def class_directions(features: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """Return the mean direction of each class as vectors of length one, shape (classes, width).

    Args:
        features: Feature vectors of training examples, shape (n, width).
        y: Their classes, shape (n,).
        classes: Number of classes; the vector of one without an example is zero.
    """
    means = np.zeros((classes, features.shape[1]))
    np.add.at(means, y, _unit(features))
    return _unit(means)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, np.finfo(vectors.dtype).tiny)
    return unit
