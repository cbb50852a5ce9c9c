"""Prediction sets of classes with a stated coverage (split conformal prediction)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

LEAST_AMBIGUOUS, ADAPTIVE = "least ambiguous", "adaptive"


@dataclass(frozen=True)
class PredictionSets:
    """The rule of prediction sets.

    A class is in the set if its score is at most `limit`; the most probable class always is. The
    score is 1 - probability (`least ambiguous`, Sadinle et al. 2019, arXiv 1609.00451), or the
    probability of all more probable classes plus a penalty by rank (`adaptive`, Romano et al.
    2020, arXiv 2006.02544; Angelopoulos et al. 2021, arXiv 2009.14193).

    Attributes:
        coverage: Share of examples whose true class is in their set, in (0, 1).
        kind: `least ambiguous` or `adaptive`.
        limit: Largest score of a class in the set.
        penalty: Penalty of an adaptive score for every rank beyond `free_ranks`.
        free_ranks: Ranks without a penalty.
    """

    coverage: float
    kind: str
    limit: float
    penalty: float = 0.0
    free_ranks: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary."""
        return dataclasses.asdict(self)

    def scores(self, probabilities: Any) -> Any:
        """Return the score of every class, shape (n, classes).

        Args:
            probabilities: Calibrated probabilities, shape (n, classes).
        """
        from keras import ops

        if self.kind == LEAST_AMBIGUOUS:
            return 1 - probabilities
        order = ops.argsort(-probabilities, axis=-1)
        ranked = ops.take_along_axis(probabilities, order, axis=-1)
        rank = ops.argsort(order, axis=-1)
        above = ops.take_along_axis(ops.cumsum(ranked, axis=-1) - ranked, rank, axis=-1)
        beyond = ops.maximum(rank + 1 - self.free_ranks, 0)
        return above + self.penalty * ops.cast(beyond, above.dtype)

    def members(self, probabilities: Any) -> Any:
        """Return which classes are in the set, booleans of shape (n, classes)."""
        from keras import ops

        top = probabilities >= ops.max(probabilities, axis=-1, keepdims=True)
        return ops.logical_or(self.scores(probabilities) <= self.limit, top)
