"""The score of frozen features without training, which a fit must exceed to be of use.

For one class per example, the class whose mean direction is nearest (Mensink et al. 2013,
doi 10.1109/TPAMI.2013.83), and for texts of a sentence encoder, the class whose name is nearest
(Yin et al. 2019, arXiv 1909.00161: labels as texts). For numbers of pairs in towers, the cosine
of both vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerasft.data import Examples, Split, prepare_inputs, text_lengths
from kerasft.evaluation.predict import predict_arrays
from kerasft.formatting import number
from kerasft.modalities import modality_of
from kerasft.models import with_features
from kerasft.models.towers import initial_weights
from kerasft.presets.sentence_encoder import is_sentence_encoder
from kerasft.runs import write_manifest
from kerasft.tasks import compared_metric
from kerasft.training.context import FitContext
from kerasft.training.head_features import HeadFeatures

NEAREST_MEAN, NEAREST_NAME = "nearest class mean", "nearest class name"
COSINE = "cosine of the pair"


def record_untrained(context: FitContext, features: HeadFeatures) -> None:
    """Measure what needs no training on the validation split, and record the best in the run.

    It is measured where the vectors that the output layer reads are cached, or its start needs them
    anyway, so in seconds: only class names pass the backbone for it.

    Args:
        context: Context of a training that has not begun.
        features: Features of its first phase.
    """
    run, start = context.recorder.run, modality_of(context.config).head_start(context.config)
    known = features.alone and (features.cached or start != "random")
    if run is None or context.devices.ranks.rank or not known:
        return
    train, validation = context.data.train, context.data.validation
    if features.model is None or not (isinstance(train, Split) and isinstance(validation, Split)):
        return
    found = [
        _scored(context, by, validation.y[features.validation[0]], outputs)
        for by, outputs in _answers(context, features, train)
        if np.isfinite(outputs).all()  # else an overflow of float16, which training reports
    ]
    found = [scores for scores in found if scores]
    for scores in found:
        name = scores["metric"]
        context.log(f"start  {scores['by']}, without training: val_{name} {number(scores[name])}")
    if found:
        write_manifest(run, untrained=max(found, key=lambda scores: scores[scores["metric"]]))


def _answers(
    context: FitContext, features: HeadFeatures, train: Split
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what needs no training, with its outputs for the validation examples."""
    labels, others = context.data.labels, features.validation[1]
    if initial_weights(context.config):
        yield COSINE, others.sum(axis=1, keepdims=True)
    elif labels.kind.class_weight:  # one class per example
        known, vectors = features.train
        yield NEAREST_MEAN, nearest_means(vectors, train.y[known], others, labels.num_outputs)
        words = all(any(map(str.isalpha, name)) for name in labels.names)
        if words and not context.data.pairs and is_sentence_encoder(context.config):
            yield NEAREST_NAME, _unit(others) @ _unit(_name_vectors(context)).T


def _scored(context: FitContext, by: str, y: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    """Return the scores of outputs, empty where the metric that judges them is undefined."""
    labels = context.data.labels
    names: tuple[str, ...] = ("spearman", "pearson")
    if by != COSINE:
        first = compared_metric(labels.kind, context.config.monitor)
        names = (first, *(name for name in labels.kind.main_metrics if name != first))
    scores = labels.kind.measure(labels, y, outputs)
    found = {name: scores[name] for name in names if name in scores}
    return {"by": by, "metric": names[0], **found} if names[0] in found else {}


def _name_vectors(context: FitContext) -> np.ndarray:
    """Return the features of the class names, shape (classes, width)."""
    names = [as_words(name) for name in context.data.labels.names]
    x = prepare_inputs(context.config, Examples(names, None, names))
    model = with_features(context.model)
    assert model is not None  # as that of the first phase is not
    _, vectors = predict_arrays(model, x, context.batch_size, lengths=text_lengths(x))
    return np.asarray(vectors, np.float64)


def as_words(name: str) -> str:
    """Return a class name with spaces between its words.

    Example:
        >>> as_words("lost_or-stolenCard")
        'lost or stolen Card'
    """
    return re.sub(r"[_/.-]+|(?<=[a-z])(?=[A-Z])", " ", name).strip() or name


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
