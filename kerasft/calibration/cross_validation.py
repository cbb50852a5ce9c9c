"""Folds of the validation split, for scores on examples that a fit has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

_FOLDS = 5
LEAST = 10  # examples below which nothing is fitted that has to prove a gain


def folds(count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indices to fit on and to score, for every fold of `count` examples."""
    parts = np.array_split(np.random.default_rng(seed).permutation(count), _FOLDS)
    for held_out in parts:
        fitted = np.ones(count, bool)
        fitted[held_out] = False
        yield np.flatnonzero(fitted), held_out


def held_out(
    outputs: np.ndarray,
    y: np.ndarray,
    apply: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    seed: int = 0,
) -> np.ndarray:
    """Return what is applied to every example after a fit on the other folds.

    Args:
        outputs: Outputs, shape (n, outputs).
        y: Targets, shape (n,) or (n, outputs).
        apply: Function from outputs and targets to fit on, and outputs to apply the fit to.
        seed: Seed of the folds.
    """
    found = np.empty_like(outputs)
    for fitted, scored in folds(len(outputs), seed):
        found[scored] = apply(outputs[fitted], y[fitted], outputs[scored])
    return found
