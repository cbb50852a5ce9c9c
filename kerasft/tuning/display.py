"""Progress of a search: one line per trial, and a live line on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from kerasft.errors import DamagedFileError
from kerasft.formatting import duration, number, setting_text
from kerasft.runs import Run
from kerasft.tuning.results import Trial, ranked


@dataclass(frozen=True)
class Expected:
    """The expected size of a search.

    Attributes:
        trials: Number of trials, None where it is not known.
        epochs: Number of epochs of all trials together, None where it is not known.
        head_epochs: Epochs of each trial before its main phase.
    """

    trials: int | None
    epochs: int | None
    head_epochs: int


class Display:
    """Shows trials as they end, the best so far, and an estimate of the time left.

    Args:
        folder: Function from the number of a trial to its folder.
        defaults: Values of trial 0; other trials are described by their differences.
        objective: `name` and `direction` of the objective.
        expected: Expected size of the search.
        stream: Stream to write to; None writes nothing.
    """

    def __init__(
        self,
        folder: Callable[[int], Path],
        defaults: dict[str, Any],
        objective: dict[str, str],
        expected: Expected,
        stream: TextIO | None,
    ) -> None:
        self.folder, self.defaults, self.objective = folder, defaults, objective
        self.expected, self.head_epochs, self.stream = expected, expected.head_epochs, stream
        self.live = stream is not None and stream.isatty()
        self.width = len(str(expected.trials or 99))
        self.seconds: list[tuple[float, int]] = []  # of ended trials, with their epochs
        self.began_at: dict[int, float] = {}
        self.reached: dict[int, int] = {}  # the last epoch of ended trials

    def line(self, text: str) -> None:
        """Write a line."""
        if self.stream is not None:
            self.stream.write(f"\r\x1b[K{text}\n" if self.live else f"{text}\n")
            self.stream.flush()

    def began(self, trial: Trial) -> None:
        """Start the clock of a trial; announce one that resumes."""
        self.began_at[trial.number] = time.monotonic()
        folder = self.folder(trial.number)
        if any(folder.glob("state-*")):
            epochs = len(Run(folder).history)
            self.line(f"trial {trial.number:>{self.width}}  resumes after epoch {epochs}")

    def tick(self, running: list[int]) -> None:
        """Redraw the live line: the progress of each running trial."""
        if not self.live or self.stream is None or not running:
            return
        parts = []
        for trial in running:
            try:
                history = Run(self.folder(trial)).history
            except DamagedFileError:
                history = []  # nothing is written yet
            value = history[-1].get(self.objective["name"]) if history else None
            reached = f" {number(value)}" if value is not None else ""
            passed = duration(time.monotonic() - self.began_at[trial])
            parts.append(f"trial {trial}: epoch {len(history) + 1}{reached} {passed}")
        self.stream.write(f"\r\x1b[K{'   '.join(parts)}")
        self.stream.flush()

    def ended(self, trial: Trial, trials: list[Trial]) -> None:
        """Write the line of a trial that has ended."""
        seconds = trial.outcome["seconds"]
        if trial.state == "completed":
            self.seconds.append((seconds, self._epochs(trial)))
        self.reached[trial.number] = trial.epochs + self.head_epochs
        best = ranked(trials, self.objective["direction"])
        cells = [f"trial {trial.number:>{self.width}}", self.describe(trial)]
        if trial.state == "completed":
            cells.append(f"{self.objective['name']} {number(trial.score or 0.0)}")
        else:
            cells.append(f"failed: {trial.outcome['reason']}")
        cells.append(duration(seconds))
        if best and best[0] is trial:
            cells.append("best")
        elif best:
            cells.append(f"best {number(best[0].score or 0.0)} ({best[0].number})")
        left = self._left(trials)
        cells.append(f"left {duration(left)}" if left else "")
        self.line("  ".join(cell for cell in cells if cell))
        if trial.number == 0 and self.expected.epochs is not None and left:
            self.line(f"plan   about {duration(left)} left")

    def describe(self, trial: Trial) -> str:
        """Return the settings of a trial that differ from the defaults."""
        if trial.number == 0:
            return "defaults"
        names = [n for n, value in trial.values.items() if value != self.defaults.get(n)]
        described = [f"{name} {setting_text(trial.values[name])}" for name in names]
        if trial.continues is not None:
            described.insert(0, f"continues {trial.continues} to epoch {trial.epochs}")
        return ", ".join(described) or "defaults again"

    def estimate(self, trial: Trial) -> float | None:
        """Return the estimated seconds of a trial; None before any has ended."""
        if not self.seconds:
            return None
        each = sum(s for s, _ in self.seconds) / max(sum(e for _, e in self.seconds), 1)
        return each * self._epochs(trial)

    def _epochs(self, trial: Trial) -> int:
        """Return the epochs that a trial trains, without those of the trial it continues."""
        before = 0 if trial.continues is None else self.reached.get(trial.continues, 0)
        return trial.epochs + self.head_epochs - before

    def _left(self, trials: list[Trial]) -> float:
        """Return the estimated seconds until the search ends, 0 where it is not known."""
        if self.expected.trials is None or not self.seconds:
            return 0.0
        if self.expected.epochs is not None:
            each = sum(s for s, _ in self.seconds) / max(sum(e for _, e in self.seconds), 1)
            return each * max(self.expected.epochs - sum(e for _, e in self.seconds), 0)
        ended = sum(trial.state != "running" for trial in trials)
        each = sum(seconds for seconds, _ in self.seconds) / len(self.seconds)
        return each * max(self.expected.trials - ended, 0)
