"""A trial as it is sent to a worker: plain values, importable without Keras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrialJob:
    """A trial as it is sent to a worker: plain values, for any executor.

    Attributes:
        number: Number of the trial.
        folder: Its folder.
        settings: All settings.
        executions: Number of trainings, each with another seed of model and order.
        continues: Folder of the trial that this one continues (Hyperband).
        continued_seconds: Time of the epochs of that trial.
        deadline: Time (`time.time`) after which no epoch is started.
        keep_above: Weights are stored where the score times the sign of the objective is at least
            this: of equal scores, the validation loss decides.
        keep_state: Whether to keep the state at the end, for a trial that continues this one.
    """

    number: int
    folder: Path
    settings: dict[str, Any]
    executions: int = 1
    continues: Path | None = None
    continued_seconds: float = 0.0
    deadline: float | None = None
    keep_above: float = float("-inf")
    keep_state: bool = False
