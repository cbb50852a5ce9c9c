"""The score of frozen features without training, which a fit must exceed to be of use.

For one class per example, the class whose mean direction is nearest (Mensink et al. 2013,
doi 10.1109/TPAMI.2013.83); for numbers of pairs in towers, the cosine of both vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.data import Split
from kerasft.formatting import number
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.models import with_features
from kerasft.models.towers import initial_weights
from kerasft.runs import write_manifest
from kerasft.training.context import FitContext
from kerasft.training.linear_probe import features_of

NEAREST_MEAN, COSINE = "nearest class mean", "cosine of the pair"


def record_untrained(context: FitContext, inputs: Mapping[str, PhaseInputs]) -> None:
    """Measure what needs no training on the validation split, and record it in the run.

    It is measured where frozen features are cached for the first phase, so in a moment.

    Args:
        context: Context of the training.
        inputs: Model and inputs of each phase, by its name.
    """
    run, phase_inputs = context.recorder.run, inputs[context.phases[0].name]
    if run is None or context.devices.ranks.rank or phase_inputs.model is context.model:
        return
    found = _measured(context, phase_inputs)
    if not found:
        return
    write_manifest(run, untrained=found)
    name = found["metric"]
    context.log(f"start  {found['by']}, without training: val_{name} {number(found[name])}")


def _measured(context: FitContext, inputs: PhaseInputs) -> dict[str, Any]:
    """Return the scores, empty where there is nothing to measure."""
    train, validation = context.data.train, context.data.validation
    if not (isinstance(train, Split) and isinstance(validation, Split)):
        return {}
    if with_features(inputs.model) is None:
        return {}
    labels, names = context.data.labels, context.data.labels.kind.main_metrics
    if initial_weights(context.config):
        by, names = COSINE, ("spearman", "pearson")
        rows, terms = features_of(context, inputs.model, validation, inputs.validation)
        outputs = terms.sum(axis=1, keepdims=True)
    elif labels.names and train.y.ndim == 1:
        by = NEAREST_MEAN
        known, vectors = features_of(context, inputs.model, train, inputs.train)
        rows, others = features_of(context, inputs.model, validation, inputs.validation)
        outputs = nearest_means(vectors, train.y[known], others, labels.num_outputs)
    else:
        return {}
    scores = labels.kind.measure(labels, validation.y[rows], outputs)
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
    directions, means = _unit(features), np.zeros((classes, features.shape[1]))
    np.add.at(means, y, directions)
    cosines = _unit(others) @ _unit(means).T
    cosines[:, np.bincount(y, minlength=classes) == 0] = -1
    return cosines


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, np.finfo(vectors.dtype).tiny)
    return unit
