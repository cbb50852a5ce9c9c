"""The feature bank: features of training examples, with which inputs are compared for `known`."""

from __future__ import annotations

import numpy as np

from kerasft.calibration.known import score_parts

MOST = 4000  # training examples whose features are computed, but for some of rare classes
_PER_CLASS = 50  # examples in the bank
_WITHOUT_CLASSES = 1000  # the same where there are no classes
_LEAST_SPREAD = 1e-3  # of a part of the score; float32 rounds cosines and entropies to 1e-7
_LEAST = 1e-9  # of a spread that is not a rounding error of 0


def bank_rows(count: int, classes: np.ndarray | None) -> np.ndarray:
    """Return the positions of training examples whose features are used, in ascending order.

    They are evenly spaced, and every class has some: a rare one would be missed otherwise.

    Args:
        count: Number of training examples.
        classes: Class index of each, shape (n,); None where examples have no single class.
    """
    rows = _evenly(np.arange(count), MOST)
    if classes is None or count <= MOST:
        return rows
    names = np.unique(classes)
    each = max(1, min(_PER_CLASS, MOST // len(names)))
    members = [_evenly(np.flatnonzero(classes == name), each) for name in names]
    return np.unique(np.concatenate([rows, *members]))


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of the rows, evenly spaced."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))
    return np.take(rows, chosen)


def fit_feature_bank(
    features: np.ndarray,
    classes: np.ndarray | None,
    validation: np.ndarray,
    probabilities: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the arrays from which `known_scores` computes the score of an input.

    Args:
        features: Inputs of the output layer for training examples, shape (n, width).
        classes: Class index of each, shape (n,); None where examples have no single class.
        validation: Inputs of the output layer for validation examples, whose scores have mean 0.
        probabilities: Outputs for the same examples, shape (n, classes); None without single
            classes.

    Returns:
        `memory` (features of length 1), `location` and `scale` of every part of the score, and
        with classes `mean`, `directions`, `centers` and `weights` of the relative distance.
    """
    units = _units(features)
    arrays = {"memory": units[_chosen_rows(len(units), classes)].astype("float16")}
    if classes is not None:
        arrays |= _relative_distance(units, classes)
    from keras import ops

    found = score_parts(arrays, validation, probabilities)
    parts = np.stack([ops.convert_to_numpy(part) for part in found])
    location, scale = parts.mean(axis=1), np.maximum(parts.std(axis=1), _LEAST_SPREAD)
    return {**arrays, "location": location, "scale": scale}


def _units(features: np.ndarray) -> np.ndarray:
    wide = np.asarray(features, np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))


def _chosen_rows(count: int, classes: np.ndarray | None) -> np.ndarray:
    """Return the rows in the bank: some of every class, chosen at random."""
    order = np.random.default_rng(0).permutation(count)
    if classes is None:
        return np.sort(order[:_WITHOUT_CLASSES])
    chosen = [order[classes[order] == each][:_PER_CLASS] for each in np.unique(classes)]
    return np.sort(np.concatenate(chosen))


def _relative_distance(units: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the relative Mahalanobis distance in the directions in which the classes differ.

    The squared distance to the center of a class minus that to all training examples is the same
    in these directions as in all. Nothing is returned where the classes do not differ, or have one
    example each.
    """
    from scipy.linalg import solve
    from sklearn.covariance import ledoit_wolf

    names, index = np.unique(classes, return_inverse=True)
    centers = np.stack([units[index == each].mean(axis=0) for each in range(len(names))])
    within = units - centers[index]
    if len(names) < 2 or not np.abs(within).max() > _LEAST:
        return {}
    covariance, _ = ledoit_wolf(within, assume_centered=True)
    mean = units.mean(axis=0)
    shifted = centers - mean
    inverse = solve(covariance, shifted.T, assume_a="pos")
    share = np.sqrt(np.bincount(index) / len(index))
    spread, turn = np.linalg.eigh(share[:, None] * (shifted @ inverse) * share)
    kept = spread > 1e-6 * max(spread.max(), _LEAST)
    spread, turn = spread[kept], turn[:, kept]
    directions = inverse @ (share[:, None] * turn) / np.sqrt(spread)
    return {
        "mean": mean.astype("float32"),
        "directions": directions.astype("float32"),
        "centers": (shifted @ directions).astype("float32"),
        "weights": (spread / (1 + spread)).astype("float32"),
    }
