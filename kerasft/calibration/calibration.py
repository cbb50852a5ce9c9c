"""The calibration of a run as a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasft.calibration.intervals import Interval
from kerasft.calibration.known import Known
from kerasft.calibration.prediction_sets import PredictionSets

if TYPE_CHECKING:
    import numpy as np

DEFAULT_THRESHOLD = 0.5  # of a label, before thresholds are fitted


@dataclass(frozen=True)
class Calibration:
    """What was fitted on the validation split; the defaults are the state before.

    Attributes:
        temperature: Divisor of the log-probabilities of classes, > 0.
        slopes: Factor of the log-odds of each label, empty for 1; only for several labels.
        offsets: Summand of the log-odds of each label, empty for 0; only for several labels.
        thresholds: Threshold of the calibrated probability of each label, empty for 0.5; only for
            several labels.
        rejection: Least calibrated probability of a prediction that is accepted; None accepts all.
        sets: Prediction sets of classes, None without.
        interval: Interval around a predicted number, None without.
        known: Score of known inputs, None without.
    """

    temperature: float = 1.0
    slopes: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    rejection: float | None = None
    sets: PredictionSets | None = None
    interval: Interval | None = None
    known: Known | None = None

    def threshold_of(self, count: int) -> tuple[float, ...]:
        """Return the thresholds of `count` labels."""
        return self.thresholds or (DEFAULT_THRESHOLD,) * count

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary; the arrays of `known` are left out."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in values.items()}

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None
    ) -> Calibration:
        """Return the calibration from the dictionary of `to_dict`.

        Args:
            values: The dictionary.
            arrays: Those of `Known.arrays`; without them there is no `known`.
        """
        sets, interval, known = (values.get(name) for name in ("sets", "interval", "known"))
        return cls(
            float(values.get("temperature", 1.0)),
            tuple(values.get("slopes", ())),
            tuple(values.get("offsets", ())),
            tuple(values.get("thresholds", ())),
            values.get("rejection"),
            None if sets is None else PredictionSets(**sets),
            None if interval is None else Interval(**interval),
            None if known is None or not arrays else Known(**known, arrays=arrays),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.to_dict() if hasattr(value, "to_dict") else value
