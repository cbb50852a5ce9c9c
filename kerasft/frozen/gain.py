"""Which phases are worth keeping features for, and what each gains."""

from __future__ import annotations

from collections.abc import Sequence

from kerasft.frozen.prefix import FrozenPrefix

WORTH = 1.15  # times less work from which on features are kept


def worthwhile(
    phases: Sequence[tuple[FrozenPrefix, int]], share: float
) -> tuple[list[int], dict[int, float]]:
    """Return the phases whose features are worth keeping, and the gain of each, by its place.

    As long as a phase is less than WORTH times less work beside what the others keep, that which
    gains least is left out. The gain of those that stay counts a share of computing the features
    for each, as large as its share of the passes that they take the place of.

    Args:
        phases: The cut of each, and its epochs.
        share: Validation examples over training examples.
    """
    kept, gains = list(range(len(phases))), {}
    while kept:
        for index in kept:
            own = _work([phases[index]], (), share)
            others = [other for other in kept if other != index]
            saved = _work(phases, others, share) - _work(phases, kept, share)
            gains[index] = own / (own - saved)
        least = min(kept, key=lambda index: gains[index])
        if gains[least] >= WORTH:
            break
        kept.remove(least)
    spared = {i: phases[i][1] * (1 + share) * _prefix(phases[i][0]) for i in kept}
    for index in kept:
        own = _work([phases[index]], (), share)
        part = spared[index] / sum(spared.values())
        gains[index] = own / (own - spared[index] + part * _computing(phases, kept, share))
    return kept, gains


def _work(phases: Sequence[tuple[FrozenPrefix, int]], kept: Sequence[int], share: float) -> float:
    """Return the work of phases together, by unit of one pass over the training split.

    Training costs three passes through what is trained, and validation one; without features
    every epoch passes the prefix too. Features are computed once for all phases: a prefix is a
    part of any longer one.
    """
    work = _computing(phases, kept, share)
    for index, (cut, epochs) in enumerate(phases):
        work += epochs * (3 + share) * cut.tail.work
        if index not in kept:
            work += epochs * (1 + share) * _prefix(cut)
    return work


def _computing(
    phases: Sequence[tuple[FrozenPrefix, int]], kept: Sequence[int], share: float
) -> float:
    """Return the work of computing the features that phases keep, once for all of them."""
    return (1 + share) * max((_prefix(phases[index][0]) for index in kept), default=0.0)


def _prefix(cut: FrozenPrefix) -> float:
    return cut.work - cut.tail.work
