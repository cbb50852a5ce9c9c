"""Linear models of fixed features, fitted by scikit-learn with a falling penalty."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

# scikit-learn's C, from the strongest penalty to the weakest.
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
_ITERATIONS = 100  # of L-BFGS, from the solution of the penalty before
_LEAST_SHARE = 1e-3  # of a label that no example has, or all but that share where all have it


class LinearModel(NamedTuple):
    """A linear model: its outputs are those of a Dense layer before the activation.

    Attributes:
        strength: Inverse strength of its L2 penalty, scikit-learn's `C`.
        kernel: Kernel, shape (width, outputs).
        bias: Bias, shape (outputs,).
    """

    strength: float
    kernel: np.ndarray
    bias: np.ndarray


def softmax_models(
    features: np.ndarray, y: np.ndarray, classes: int, weights: np.ndarray | None
) -> Iterator[LinearModel]:
    """Yield softmax regressions; none where a class has no example.

    Args:
        features: Standardized features, shape (n, width).
        y: Class indices, shape (n,).
        classes: Number of classes.
        weights: Weight of each example, shape (n,); None for equal ones.
    """
    if len(np.unique(y)) < classes:
        return
    model = LogisticRegression(warm_start=True, max_iter=_ITERATIONS)
    for strength in STRENGTHS:
        _fit(model.set_params(C=strength), features, y, weights)
        kernel, bias = model.coef_.T, model.intercept_
        if classes == 2:  # scikit-learn has one output, the difference of both
            kernel, bias = np.hstack([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
        yield LinearModel(strength, kernel, bias)


def sigmoid_models(
    features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> Iterator[LinearModel]:
    """Yield one logistic regression per label, all with the same penalty.

    Args:
        features: Standardized features, shape (n, width).
        y: Labels, 0 or 1, shape (n, labels).
        weights: Weight of each example, shape (n,); None for equal ones.
    """
    share = np.clip(y.mean(axis=0), _LEAST_SHARE, 1 - _LEAST_SHARE)
    kernel, bias = np.zeros((features.shape[1], y.shape[1])), np.log(share / (1 - share))
    varying = np.flatnonzero(np.ptp(y, axis=0))
    models = [LogisticRegression(warm_start=True, max_iter=_ITERATIONS) for _ in varying]
    for strength in STRENGTHS:
        for label, model in zip(varying, models, strict=True):
            _fit(model.set_params(C=strength), features, y[:, label], weights)
            kernel[:, label], bias[label] = model.coef_[0], model.intercept_[0]
        yield LinearModel(strength, kernel.copy(), bias.copy())


def ridge_models(
    features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> Iterator[LinearModel]:
    """Yield ridge regressions of one number.

    Args:
        features: Standardized features, shape (n, width).
        y: Standardized numbers, shape (n,).
        weights: Weight of each example, shape (n,); None for equal ones.
    """
    for strength in STRENGTHS:
        model = Ridge(alpha=1 / strength)
        _fit(model, features, y, weights)
        yield LinearModel(strength, model.coef_[:, None], np.array([model.intercept_]))


def _fit(model: Any, features: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> None:
    """Fit a model on one thread: its products are small, and their sums have one order."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be the optimum
        model.fit(features, y, sample_weight=weights)
