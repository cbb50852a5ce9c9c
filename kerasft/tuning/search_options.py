"""Options of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError
from kerasft.tuning.oracles import TUNERS

MOST_WORKERS = 1024
_LEAST = {"max_trials": 1, "max_epochs": 1, "executions": 1, "workers": 1, "seed": 0, "budget": 0}


@dataclass(frozen=True)
class SearchOptions:
    """Options of `tune` that define a search; None where not passed.

    Attributes:
        tuner: Search algorithm.
        max_trials: Number of trials.
        max_epochs: Epochs of a trial's main phase.
        executions: Trainings of each trial.
        seed: Seed of the proposals.
        space: Dimensions that replace or extend the recipe's search space.
        fixed: Names of settings that are fixed.
        warm_start: Folder of a search or run.
    """

    tuner: str | None = None
    max_trials: int | None = None
    max_epochs: int | None = None
    executions: int | None = None
    seed: int | None = None
    space: Sequence[str] = ()
    fixed: Sequence[str] | None = None
    warm_start: str | Path | None = None

    def header(self) -> dict[str, Any]:
        """Return the options that are entries of a header."""
        names = ("tuner", "max_trials", "max_epochs", "executions", "seed")
        return {name: getattr(self, name) for name in names}


def check_numbers(numbers: Mapping[str, Any]) -> None:
    """Refuse an unknown search algorithm, counts and times that are too small, too many workers.

    Raises:
        SettingError: A value is not valid.
    """
    if numbers["tuner"] not in (None, *TUNERS):
        raise SettingError(
            f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={numbers['tuner']!r}."
        )
    for name, least in _LEAST.items():
        if numbers[name] is not None and numbers[name] < least:
            raise SettingError(
                f"`{name}` must be at least {least}. Received: {name}={numbers[name]}."
            )
    if numbers["workers"] > MOST_WORKERS:
        raise SettingError(
            f"`workers` must be at most {MOST_WORKERS}. Received: workers={numbers['workers']}."
        )
