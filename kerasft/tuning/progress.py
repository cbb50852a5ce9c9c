"""Progress of a search: a row per trial, and bars for the search and its running trials."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.display import Activity, Cell, current
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


class SearchProgress:
    """Shows trials as they end, a bar for each running one, and the best so far.

    Args:
        folder: Function from the number of a trial to its folder.
        defaults: Values of trial 0; other trials are described by their differences.
        objective: `name` and `direction` of the objective.
        expected: Expected size of the search.
    """

    def __init__(
        self,
        folder: Callable[[int], Path],
        defaults: dict[str, Any],
        objective: dict[str, str],
        expected: Expected,
    ) -> None:
        self.folder, self.defaults, self.objective = folder, defaults, objective
        self.expected, self.display = expected, current()
        self.width = len(str(expected.trials or 99))
        self.bar = Activity("search", expected.trials)
        self.bars: dict[int, Activity] = {}  # of running trials
        self._workers = 1

    def line(self, text: str) -> None:
        """Show a line that stays."""
        self.display.line(text)

    def workers(self, number: int) -> None:
        """Show the number of workers where it has changed; one at first is not shown."""
        if number == self._workers:
            return
        self._workers = number
        if number > 1:
            self.line(f"worker {number} available, each with one trial at a time")
        elif number:
            self.line("worker 1 available")
        else:
            self.line("worker none available: trials wait for one")

    @contextlib.contextmanager
    def running(self, trials: Mapping[int, Trial]) -> Iterator[None]:
        """Show the bar of the search while the body runs.

        Args:
            trials: Trials of the search so far, by their numbers.
        """
        with self.display.progress("search", self.expected.trials) as self.bar:
            self._update(trials)
            yield

    def began(self, trial: Trial) -> None:
        """Show the bar of a trial; announce one that resumes."""
        total = trial.epochs + self.expected.head_epochs
        self.bars[trial.number] = self.display.begin(f"trial {trial.number}", total)
        folder = self.folder(trial.number)
        if any(folder.glob("state-*")):
            epochs = len(Run(folder).history)
            self.line(f"trial {trial.number:>{self.width}}  resumes after epoch {epochs}")

    def tick(self, running: list[int]) -> None:
        """Move the bars of running trials."""
        if not self.display.live:
            return
        for trial in running:
            try:
                history = Run(self.folder(trial)).history
            except DamagedFileError:
                history = []  # nothing is written yet
            bar, name = self.bars[trial], self.objective["name"]
            value = history[-1].get(name) if history else None
            bar.done = min(len(history), bar.total or 0)
            # All epochs may be done while the trial is measured, or repeated with another seed.
            epoch = f"epoch {min(bar.done + 1, bar.total or 1)}/{bar.total}"
            bar.details = (epoch, f"{name} {number(value)}") if value is not None else (epoch,)
            bar.changed()

    def ended(self, trial: Trial, trials: Mapping[int, Trial]) -> None:
        """Write the row of a trial that has ended."""
        if trial.number in self.bars:
            self.display.end(self.bars.pop(trial.number))
        best = next(iter(ranked(list(trials.values()), self.objective["direction"])), None)
        self._update(trials)
        left = self.bar.left
        if best:
            self.bar.details = (f"best {number(best.score or 0.0)} (trial {best.number})",)
        style = "bad" if trial.state == "failed" else "good" if trial is best else ""
        if (parts := trial.outcome.get("batches_per_step", 1)) > 1:
            self.line(
                f"trial {trial.number:>{self.width}}  batches do not fit into memory: {parts} "
                "smaller ones for each step of the optimizer"
            )
        cells = self._cells(trial, is_best=trial is best)
        self.display.row(cells, self._line(trial, best, left), style)
        if trial.number == 0 and self.expected.epochs is not None and left:
            self.line(f"plan   about {duration(left)} left")

    def _cells(self, trial: Trial, *, is_best: bool) -> list[Cell]:
        """Return the row of a trial in the table."""
        name, completed = self.objective["name"], trial.state == "completed"
        reason = "" if completed else f"; failed: {trial.outcome['reason']}"
        return [
            Cell("trial", str(trial.number), 5),
            Cell("settings", self.describe(trial) + reason, None, 1),
            Cell(name, number(trial.score or 0.0) if completed else "failed", 8),
            Cell("time", duration(trial.outcome["seconds"]), 6, 2),
            Cell("", "best" if is_best else "", 4),
        ]

    def _line(self, trial: Trial, best: Trial | None, left: float | None) -> str:
        """Return the line of a trial in a log."""
        cells = [f"trial {trial.number:>{self.width}}", self.describe(trial)]
        if trial.state == "completed":
            cells.append(f"{self.objective['name']} {number(trial.score or 0.0)}")
        else:
            cells.append(f"failed: {trial.outcome['reason']}")
        cells.append(duration(trial.outcome["seconds"]))
        if trial is best:
            cells.append("best")
        elif best:
            cells.append(f"best {number(best.score or 0.0)} (trial {best.number})")
        if left:
            cells.append(f"left {duration(left)}")
        return "  ".join(cells)

    def describe(self, trial: Trial) -> str:
        """Return the settings of a trial that differ from the defaults."""
        if trial.number == 0:
            return "defaults"
        names = [n for n, value in trial.values.items() if value != self.defaults.get(n)]
        described = [f"{name} {setting_text(trial.values[name])}" for name in names]
        if trial.continues is not None:
            described.insert(0, f"continues {trial.continues} to epoch {trial.epochs}")
        return ", ".join(described) or "defaults again"

    def estimate(self, trial: Trial, trials: Mapping[int, Trial]) -> float | None:
        """Return the estimated seconds of a trial; None before any is completed."""
        seconds, epochs = self._completed(trials)
        return seconds / epochs * self._epochs(trial, trials) if epochs else None

    def _completed(self, trials: Mapping[int, Trial]) -> tuple[float, int]:
        """Return the seconds and the epochs of all completed trials."""
        completed = [trial for trial in trials.values() if trial.state == "completed"]
        seconds = sum(trial.outcome["seconds"] for trial in completed)
        return seconds, sum(self._epochs(trial, trials) for trial in completed)

    def _epochs(self, trial: Trial, trials: Mapping[int, Trial]) -> int:
        """Return the epochs that a trial trains, without those of the trial it continues."""
        if trial.continues is None:
            return trial.epochs + self.expected.head_epochs
        return trial.epochs - trials[trial.continues].epochs

    def _update(self, trials: Mapping[int, Trial]) -> None:
        """Show how many trials have ended, and the time left."""
        self.bar.done, self.bar.left = _count_ended(trials), self._left(trials)

    def _left(self, trials: Mapping[int, Trial]) -> float | None:
        """Return the estimated seconds until the search ends, None where they are not known."""
        seconds, epochs = self._completed(trials)
        if self.expected.trials is None or not epochs:
            return None
        if self.expected.epochs is not None:
            return seconds / epochs * max(self.expected.epochs - epochs, 0)
        completed = sum(trial.state == "completed" for trial in trials.values())
        return seconds / completed * max(self.expected.trials - _count_ended(trials), 0)


def _count_ended(trials: Mapping[int, Trial]) -> int:
    return sum(trial.state != "running" for trial in trials.values())
