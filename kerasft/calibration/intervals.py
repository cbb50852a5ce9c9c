"""Intervals around a predicted number with a stated coverage (split conformal prediction)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interval:
    """The interval around a predicted number.

    Attributes:
        coverage: Share of examples whose true number is in their interval, in (0, 1).
        margin: Half the width, in the unit of the label, > 0; of the logarithm where `logarithm`.
        logarithm: Whether the interval is symmetric on a logarithmic scale.
    """

    coverage: float
    margin: float
    logarithm: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary."""
        return dataclasses.asdict(self)

    def bounds(self, predicted: Any) -> tuple[Any, Any]:
        """Return the lower and the upper end of the interval, of the shape of `predicted`."""
        from keras import ops

        if self.logarithm:
            factor = ops.exp(ops.cast(self.margin, predicted.dtype))
            return predicted / factor, predicted * factor
        return predicted - self.margin, predicted + self.margin
