"""Strata of examples for stratified splits: by label, or by decile of a number.

A group holds the positions of exact duplicates, which stay on one side of a split.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

Group = tuple[int, ...]
Strata = dict[Any, list[Group]]

_BINS = 10  # quantile bins of a numeric target


def by_label(groups: Sequence[Group], values: Sequence[Any], least: int = 0) -> Strata:
    """Return the groups of each label, or set of labels.

    Args:
        groups: Groups of positions of exact duplicates.
        values: Label of each example.
        least: Minimum number of groups of a label; rarer labels share one stratum.
    """
    # Identical examples with different labels are stratified by the first label by name.
    keys = [min((values[i] for i in group), key=str) for group in groups]
    sizes = Counter(keys)
    strata: Strata = defaultdict(list)
    for group, key in zip(groups, keys, strict=True):
        strata["" if sizes[key] < least else key].append(group)
    return {key: strata[key] for key in sorted(strata, key=str)}


def by_quantile(groups: Sequence[Group], values: Sequence[float]) -> Strata:
    """Return the groups of each decile of the numbers."""
    order = sorted(range(len(groups)), key=lambda g: min(values[i] for i in groups[g]))
    bins = {g: rank * _BINS // len(groups) for rank, g in enumerate(order)}
    strata: Strata = defaultdict(list)
    for g, group in enumerate(groups):
        strata[bins[g]].append(group)
    return dict(sorted(strata.items()))
