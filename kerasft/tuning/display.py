"""What a person sees of a search: a line a trial, and on a terminal one that lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from kerasft.errors import DamagedFileError
from kerasft.formatting import duration, number, setting_text
from kerasft.runs import Run
from kerasft.tuning.results import Trial, ranked


class Display:
    """Shows trials as they end, the best so far, and an estimate of the time left.

    Args:
        folder: Tells where a trial's history is, by its number.
        defaults: Values of trial 0: others are shown by what differs from them.
        objective: Its `name` and `direction`.
        planned: Trials that will run, as far as that is known.
        planned_epochs: Epochs that all of them will run together, as far as that is known.
        head_epochs: Of a trial, on top of its epochs.
        stream: Where to write; None writes nothing.
    """

    def __init__(
        self,
        folder: Callable[[int], Path],
        defaults: dict[str, Any],
        objective: dict[str, str],
        planned: int | None,
        planned_epochs: int | None,
        head_epochs: int,
        stream: TextIO | None,
    ) -> None:
        self.folder, self.defaults, self.objective = folder, defaults, objective
        self.planned, self.planned_epochs = planned, planned_epochs
        self.head_epochs, self.stream = head_epochs, stream
        self.live = stream is not None and stream.isatty()
        self.width = len(str(planned or 99))
        self.seconds: list[tuple[float, int]] = []  # of ended trials, with their epochs
        self.began_at: dict[int, float] = {}
        self.reached: dict[int, int] = {}  # the last epoch of ended trials

    def line(self, text: str) -> None:
        """Write a line that stays."""
        if self.stream is not None:
            self.stream.write(f"\r\x1b[K{text}\n" if self.live else f"{text}\n")
            self.stream.flush()

    def began(self, trial: Trial) -> None:
        """Start the clock of a trial, and tell of one that was interrupted."""
        self.began_at[trial.number] = time.monotonic()
        folder = self.folder(trial.number)
        if any(folder.glob("state-*")):
            epochs = len(Run(folder).history)
            self.line(f"trial {trial.number:>{self.width}}  goes on after its epoch {epochs}")

    def tick(self, running: list[int]) -> None:
        """Redraw the living line: what each running trial has reached."""
        if not self.live or self.stream is None or not running:
            return
        parts = []
        for trial in running:
            try:
                history = Run(self.folder(trial)).history
            except DamagedFileError:
                history = []  # it has not begun to write
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
        if trial.number == 0 and self.planned_epochs is not None and left:
            self.line(f"plan   about {duration(left)} for the rest of the plan")

    def describe(self, trial: Trial) -> str:
        """Return what is different in a trial: its settings that are not the defaults."""
        if trial.number == 0:
            return "defaults"
        names = [n for n, value in trial.values.items() if value != self.defaults.get(n)]
        told = [f"{name} {setting_text(trial.values[name])}" for name in names]
        if trial.continues is not None:
            told.insert(0, f"goes on from {trial.continues} to epoch {trial.epochs}")
        return ", ".join(told) or "the defaults again"

    def estimate(self, trial: Trial) -> float | None:
        """Return how long a trial may take, in seconds; None before any has ended."""
        if not self.seconds:
            return None
        each = sum(s for s, _ in self.seconds) / max(sum(e for _, e in self.seconds), 1)
        return each * self._epochs(trial)

    def _epochs(self, trial: Trial) -> int:
        """Return the epochs that a trial trains itself, without those of one it continues."""
        before = 0 if trial.continues is None else self.reached.get(trial.continues, 0)
        return trial.epochs + self.head_epochs - before

    def _left(self, trials: list[Trial]) -> float:
        if self.planned is None or not self.seconds:
            return 0.0
        if self.planned_epochs is not None:
            each = sum(s for s, _ in self.seconds) / max(sum(e for _, e in self.seconds), 1)
            return each * max(self.planned_epochs - sum(e for _, e in self.seconds), 0)
        ended = sum(trial.state != "running" for trial in trials)
        each = sum(seconds for seconds, _ in self.seconds) / len(self.seconds)
        return each * max(self.planned - ended, 0)
