"""The few widths to which texts are padded where every new shape is compiled."""

from __future__ import annotations

import math

import numpy as np

MULTIPLE = 8  # of which widths are: what matrix units of accelerators work on
COUNT = 6


def plan_widths(
    lengths: np.ndarray, batch_size: int, longest: int, count: int = COUNT
) -> np.ndarray:
    """Return the widths that pad the fewest tokens, from the smallest to the largest.

    The texts are taken in batches of similar length, as `Batches` puts them together, each as
    wide as its longest text. Of all choices of `count` widths the one with the fewest tokens in
    all batches is found by dynamic programming over the possible widths.

    Args:
        lengths: Tokens of every text, shape (n,).
        batch_size: Texts of a batch.
        longest: No width is larger.
        count: The most widths, at least 1.

    Returns:
        Widths that are multiples of 8, but `longest` itself.

    Example:
        >>> plan_widths(np.array([3, 4, 30, 31]), batch_size=2, longest=128)
        array([ 8, 32])
    """
    # The longest of a batch comes last where texts are sorted; the last batch may be smaller.
    maxima = np.sort(lengths)[::-1][::batch_size]
    rounded = [min(math.ceil(max(width, 1) / MULTIPLE) * MULTIPLE, longest) for width in maxima]
    widths, batches = np.unique(rounded, return_counts=True)
    # least[i] is the least cost of the i narrowest kinds of batch with the widths so far.
    total = np.concatenate([[0], np.cumsum(batches)])
    least = np.where(total == 0, 0.0, np.inf)
    chosen: list[list[int]] = [[] for _ in total]
    for _ in range(min(count, len(widths))):
        before, kept = least.copy(), list(chosen)
        for end in range(1, len(total)):
            costs = before[:end] + widths[end - 1] * (total[end] - total[:end])
            start = int(np.argmin(costs))
            if costs[start] < least[end]:
                least[end], chosen[end] = costs[start], [*kept[start], int(widths[end - 1])]
    return np.array(chosen[-1])
