"""Which phases are worth keeping features for, and what each gains."""

from __future__ import annotations

from collections.abc import Sequence

from kerasft.models import Cut

WORTH = 1.15  # times less work from which on features are kept


def worthwhile(
    phases: Sequence[tuple[Cut, int]], share: float
) -> tuple[list[int], dict[int, float]]:
    """Returns the phases whose features are worth keeping, and the gain of each, by its place.

    The gain is how many times less work a phase is, beside what the others keep. As long as one
    gains less than WORTH, that which gains least is left out.

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
    return kept, gains


def _work(phases: Sequence[tuple[Cut, int]], kept: Sequence[int], share: float) -> float:
    """Returns the work of phases together, by unit of one pass over the training split.

    Training costs three passes through what is trained, and validation one; without features
    every epoch passes the prefix too. Features are computed once for all phases: a prefix is a
    part of any longer one.
    """
    work = (1 + share) * max((_prefix(phases[index][0]) for index in kept), default=0.0)
    for index, (cut, epochs) in enumerate(phases):
        work += epochs * (3 + share) * cut.tail.work
        if index not in kept:
            work += epochs * (1 + share) * _prefix(cut)
    return work


def _prefix(cut: Cut) -> float:
    return cut.work - cut.tail.work
