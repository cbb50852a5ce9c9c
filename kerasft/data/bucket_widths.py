"""Widths to which texts are padded on backends that compile every new shape."""

from __future__ import annotations

import math

import numpy as np

from kerasft.modalities.padding import MULTIPLE

COUNT = 6  # default number of widths, and so of compilations


def plan_widths(
    lengths: np.ndarray, batch_size: int, longest: int, count: int = COUNT
) -> np.ndarray:
    """Return the widths that minimize padding, in ascending order.

    The texts are taken in batches of similar length, as `Batches` groups them. Dynamic programming
    over the possible widths finds up to `count` widths with the fewest tokens in total.

    Args:
        lengths: Number of tokens of each text, shape (n,).
        batch_size: Texts per batch, at least 1.
        longest: Upper bound of the widths, in tokens.
        count: Maximum number of widths, at least 1.

    Returns:
        Widths in tokens: multiples of 8, and possibly `longest`.

    Example:
        >>> plan_widths(np.array([3, 4, 30, 31]), batch_size=2, longest=128)
        array([ 8, 32])
    """
    # In descending order, every batch_size-th text is the longest of its batch.
    maxima = np.sort(lengths)[::-1][::batch_size]
    rounded = [min(math.ceil(max(width, 1) / MULTIPLE) * MULTIPLE, longest) for width in maxima]
    widths, batches = np.unique(rounded, return_counts=True)
    # least[i]: fewest tokens of the batches of the i narrowest widths, with the widths so far.
    total = np.concatenate([[0], np.cumsum(batches)])
    least = np.where(total == 0, 0.0, np.inf)
    chosen: list[list[int]] = [[] for _ in total]
    for _ in range(min(count, len(widths))):
        before, chosen_before = least.copy(), list(chosen)
        for end in range(1, len(total)):
            costs = before[:end] + widths[end - 1] * (total[end] - total[:end])
            start = int(np.argmin(costs))
            if costs[start] < least[end]:
                least[end] = costs[start]
                chosen[end] = [*chosen_before[start], int(widths[end - 1])]
    return np.array(chosen[-1])
