"""Scores of known inputs in NumPy: those that the score of kerasft was chosen from.

Each is fitted on features of training examples of the known classes, and higher for inputs that
resemble them more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Score = Callable[[Array], Array]
PER_CLASS = 50  # examples in a memory


def alternatives(features: Array, y: Array, kernel: Array, bias: Array) -> dict[str, Score]:
    """Returns the scores by name.

    Args:
        features: Features of training examples, shape (n, width).
        y: Class index of each, shape (n,).
        kernel: Kernel of the output layer, shape (width, classes).
        bias: Bias of the output layer, shape (classes,).
    """
    from scipy.special import entr, logsumexp, softmax

    def logits(x: Array) -> Array:
        return np.asarray(x @ kernel + bias)

    nearest = similarities(units(features)[memory_rows(y)])
    likely: Score = lambda x: softmax(logits(x), axis=1).max(axis=1)  # noqa: E731
    return {
        "maximum probability": likely,
        "entropy": lambda x: -entr(softmax(logits(x), axis=1)).sum(axis=1),
        "maximum logit": lambda x: logits(x).max(axis=1),
        "energy": lambda x: logsumexp(logits(x), axis=1),
        "Mahalanobis distance": mahalanobis(features, y),
        "Mahalanobis distance, unit length": then(units, mahalanobis(units(features), y)),
        "nearest example": lambda x: nearest(x)[:, -1],
        "5th nearest example": lambda x: nearest(x)[:, -5],
        "10th nearest example": lambda x: nearest(x)[:, -10],
        "nearest class mean": class_means(features, y),
        "ViM": vim(features, logits),
        "nearest example times probability": lambda x: nearest(x)[:, -1] * likely(x),
    }


def units(x: Array) -> Array:
    """Returns vectors of length 1."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def then(first: Score, second: Score) -> Score:
    """Returns a score of changed features."""
    return lambda x: second(first(x))


def memory_rows(y: Array) -> Array:
    """Returns the rows of a memory: some of every class, chosen at random."""
    order = np.random.default_rng(0).permutation(len(y))
    return np.concatenate([order[y[order] == each][:PER_CLASS] for each in np.unique(y)])


def similarities(memory: Array) -> Score:
    """Returns cosine similarities to the examples of a memory, in ascending order."""
    return lambda x: np.sort(units(x) @ memory.T, axis=1)


def class_means(features: Array, y: Array) -> Score:
    """Returns the cosine similarity to the nearest class mean."""
    long = units(features)
    means = units(np.stack([long[y == each].mean(axis=0) for each in np.unique(y)]))
    return lambda x: np.asarray((units(x) @ means.T).max(axis=1))


def mahalanobis(features: Array, y: Array) -> Score:
    """Returns the negated squared distance to the nearest class (Lee et al. 2018).

    The covariance is common to the classes and shrunk (Ledoit and Wolf).
    """
    from sklearn.covariance import LedoitWolf

    names, index = np.unique(y, return_inverse=True)
    means = np.stack([features[index == each].mean(axis=0) for each in range(len(names))])
    inverse = LedoitWolf(assume_centered=True).fit(features - means[index]).precision_
    root = np.linalg.cholesky(inverse)
    centers = means @ root

    def score(x: Array) -> Array:
        z = x @ root
        lengths = (z**2).sum(axis=1, keepdims=True) + (centers**2).sum(axis=1)
        return np.asarray(-(lengths - 2 * z @ centers.T).min(axis=1))

    return score


def vim(features: Array, logits: Score) -> Score:
    """Returns the virtual logit (Wang et al. 2022): energy less what the logits do not see."""
    from scipy.special import logsumexp

    mean = features.mean(axis=0)
    shifted = features - mean
    _, vectors = np.linalg.eigh(shifted.T @ shifted)
    rest = vectors[:, : features.shape[1] // 2]  # the half with the smallest variance

    def residual(x: Array) -> Array:
        return np.asarray(np.linalg.norm((x - mean) @ rest, axis=1))

    scale = logits(features).max(axis=1).mean() / residual(features).mean()
    return lambda x: np.asarray(logsumexp(logits(x), axis=1) - scale * residual(x))
