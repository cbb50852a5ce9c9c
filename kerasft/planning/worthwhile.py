"""The number of devices or workers up to which more are worthwhile."""

from __future__ import annotations

import math
from collections.abc import Mapping

WORTH = 1.2  # least speedup by twice as many that is worthwhile


def doubled(last: int) -> list[int]:
    """Return 1, 2, 4, ... up to a number, which is the last.

    Example:
        >>> doubled(6)
        [1, 2, 4, 6]
    """
    return [*(2**k for k in range((last - 1).bit_length())), last]


def largest_worthwhile(seconds: Mapping[int, float]) -> int:
    """Return the largest worthwhile number of devices or workers.

    More of them are worthwhile if twice as many are at least 1.2 times as fast.

    Args:
        seconds: Times by number, fewest first.
    """
    best = next(iter(seconds))
    for count, time in seconds.items():
        if seconds[best] / time >= WORTH ** math.log2(count / best):
            best = count
    return best
