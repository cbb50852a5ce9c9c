"""Options of a calibration, and what a calibration returns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from kerasft.calibration.calibration import Calibration
from kerasft.errors import SettingError


@dataclass(frozen=True)
class CalibrationOptions:
    """What a calibration aims at.

    Attributes:
        coverage: Share of examples whose truth is in the prediction set or interval.
        known_coverage: Share of the validation examples that are known.
        max_error: Largest estimated share of errors among accepted predictions; None: accept all.
        min_precision: Least precision of every label; None maximizes F1.
        min_recall: Least recall of every label; None maximizes F1.
    """

    coverage: float = 0.9
    known_coverage: float = 0.95
    max_error: float | None = None
    min_precision: float | None = None
    min_recall: float | None = None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            SettingError: A value is not inside (0, 1), or two options conflict.
        """
        for name, value in dataclasses.asdict(self).items():
            if value is not None and not 0 < value < 1:
                raise SettingError(
                    f"`{name}` must be above 0 and below 1. Received: {name}={value!r}."
                )
        if self.min_precision is not None and self.min_recall is not None:
            raise SettingError(
                "`min_precision` and `min_recall` cannot both be met by one threshold. Set one."
            )

    def check(self, task: str, used: Collection[str]) -> None:
        """Refuse options that a task does not use.

        Args:
            task: Name of the task.
            used: Options of its calibration, besides known_coverage.

        Raises:
            SettingError: The calibration of the task has no such option.
        """
        known = ("known_coverage", *used)
        for item in dataclasses.fields(self):
            if item.name not in known and getattr(self, item.name) != item.default:
                raise SettingError(
                    f"`{item.name}` is not an option of a calibration for task={task} (options: "
                    f"{', '.join(known)}). Remove it."
                )


@dataclass(frozen=True)
class Fitted:
    """A fitted calibration and its record.

    Attributes:
        calibration: The calibration.
        scores: Scores on the validation split by name; `before` and `after` of a pair.
        notes: Notes on what could not be fitted, one sentence each.
    """

    calibration: Calibration
    scores: dict[str, Any]
    notes: tuple[str, ...] = ()


def needed_examples(coverage: float) -> int:
    """Return the least number of examples for a limit with a coverage (split conformal).

    Example:
        >>> needed_examples(0.9), needed_examples(0.95)
        (9, 19)
    """
    return math.ceil(round(coverage / (1 - coverage), 9))
