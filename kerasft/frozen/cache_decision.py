"""Which phases are worth a feature cache, and how much work each saves."""

from __future__ import annotations

from collections.abc import Sequence

from kerasft.frozen.prefix import FrozenPrefix

WORTH = 1.15  # least factor of work saved for which features are cached


def worthwhile(
    phases: Sequence[tuple[FrozenPrefix, int]], share: float
) -> tuple[list[int], dict[int, float]]:
    """Return the indices of phases whose features are worth caching, and the gain of each.

    A gain is the work of a phase without the cache over that with it. The phase with the smallest
    gain, given the caches of the others, is removed until every gain is at least WORTH. The gains
    of the remaining phases include the cost of computing the features, divided among the phases
    by the passes that each saves.

    Args:
        phases: Frozen prefix and epochs of each phase.
        share: Validation examples over training examples.
    """
    cached, gains = list(range(len(phases))), {}
    while cached:
        for index in cached:
            own = _work([phases[index]], (), share)
            others = [other for other in cached if other != index]
            saved = _work(phases, others, share) - _work(phases, cached, share)
            gains[index] = own / (own - saved)
        least = min(cached, key=lambda index: gains[index])
        if gains[least] >= WORTH:
            break
        cached.remove(least)
    saved_passes = {i: phases[i][1] * (1 + share) * _prefix_work(phases[i][0]) for i in cached}
    for index in cached:
        own = _work([phases[index]], (), share)
        part = saved_passes[index] / sum(saved_passes.values())
        gains[index] = own / (own - saved_passes[index] + part * _computing(phases, cached, share))
    return cached, gains


def _work(phases: Sequence[tuple[FrozenPrefix, int]], cached: Sequence[int], share: float) -> float:
    """Return the work of all phases, relative to one pass over the training split.

    Training costs three passes through the tail and validation one; without cached features every
    epoch also passes the prefix. Features are computed once for all phases: a shorter prefix is
    part of a longer one.
    """
    work = _computing(phases, cached, share)
    for index, (prefix, epochs) in enumerate(phases):
        work += epochs * (3 + share) * prefix.tail.work
        if index not in cached:
            work += epochs * (1 + share) * _prefix_work(prefix)
    return work


def _computing(
    phases: Sequence[tuple[FrozenPrefix, int]], cached: Sequence[int], share: float
) -> float:
    """Return the work of computing the cached features of phases, once for all of them."""
    return (1 + share) * max((_prefix_work(phases[index][0]) for index in cached), default=0.0)


def _prefix_work(prefix: FrozenPrefix) -> float:
    return prefix.work - prefix.tail.work
