"""The results of a search, read from its journal."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError, SettingError, did_you_mean
from kerasft.insight import fit_command, search_html, search_report
from kerasft.runs import Run
from kerasft.runs.run import WEIGHTS
from kerasft.tasks import task_of
from kerasft.tasks.intervals import binomial_variance
from kerasft.tuning.journal import JOURNAL, TRIALS, read_journal


@dataclass
class Trial:
    """One trial of a search.

    Attributes:
        number: Number of the trial; 0 has the config of the search.
        values: Settings proposed by the search algorithm.
        epochs: Epochs of the main phase, those of a continued trial included.
        key: Id of the proposal in KerasTuner, None for trial 0.
        continues: Number of the trial that it continues (Hyperband).
        state: `running`, `completed` or `failed`.
        score: Objective at the best epoch, mean over executions; None before the end.
        outcome: Event of its end in the journal.
    """

    number: int
    values: dict[str, Any]
    epochs: int
    key: str | None = field(default=None, repr=False)
    continues: int | None = field(default=None, repr=False)
    state: str = "running"
    score: float | None = None
    outcome: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Trial:
        """Return the running trial of an event `trial` in the journal."""
        return cls(
            event["trial"], event["values"], event["epochs"], event["key"], event["continues"]
        )

    def end(self, event: dict[str, Any]) -> None:
        """Store the outcome in an event `end` of the journal."""
        self.state, self.score, self.outcome = event["state"], event.get("score"), dict(event)


@dataclass(frozen=True, repr=False)
class Search:
    """A search folder; its properties read the journal.

    Attributes:
        path: `searches/<recipe>/<name>/`.

    Example:
        >>> search = load_search("searches/resnet_digits/first")
        >>> search.best.values, search.best.score
    """

    path: Path

    def __repr__(self) -> str:
        return f"Search({str(self.path)!r})"

    def _repr_html_(self) -> str:
        return search_html(*_contents(self))

    @property
    def header(self) -> dict[str, Any]:
        """Recipe, settings, search space, objective, search algorithm, seed."""
        return read_journal(self.path)[0]

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order of their numbers."""
        return trials_of(read_journal(self.path))

    @property
    def best(self) -> Trial:
        """The completed trial with the best objective; ties are broken by validation loss."""
        found = ranked(self.trials, self.header["objective"]["direction"])
        if not found:
            raise SettingError(f"No trial of {self.path} was completed.")
        return found[0]

    @property
    def best_runs(self) -> list[Run]:
        """The best trials whose weights are stored, at most three, the best first."""
        done = ranked(self.trials, self.header["objective"]["direction"])
        found = [Run(trial_folder(self.path, trial.number)) for trial in done]
        return [run for run in found if (run.path / WEIGHTS).is_file()]

    @property
    def defaults(self) -> Trial:
        """Trial 0."""
        trials = self.trials
        if not trials:
            raise SettingError(f"{self.path} has no trial yet. Continue the search with --resume.")
        return trials[0]

    @property
    def noise(self) -> float | None:
        """The gain in accuracy that is within noise: two standard errors of trial 0.

        The standard error is binomial; None for other objectives. The maximum over many trials
        exceeds it more often than a single trial.
        """
        header, score = self.header, self.defaults.score
        task, count = task_of(header["config"]["task"]), header["validation_examples"]
        judged = header["objective"]["name"] == f"val_{task.main_metric}"
        if not judged or task.interval != "wilson" or score is None or not count:
            return None
        return 2 * math.sqrt(binomial_variance(score, count))

    @property
    def chance(self) -> float | None:
        """Old name of `noise`."""
        return self.noise

    @property
    def best_settings(self) -> dict[str, Any]:
        """All settings of the best trial."""
        best = self.best
        return {**self.header["config"], **best.values, "epochs": best.epochs}

    @property
    def fit_command(self) -> str:
        """The command that fits the best settings and measures the test split."""
        header = self.header
        recipe = header["recipe"]["source"] or header["recipe"]["name"]
        values = {**header["given"], **self.best.values}
        chosen = header["config"].get("precision", "float32")
        if chosen != "float32":  # a single fit may choose another
            values.setdefault("precision", chosen)
        if self.best.epochs != header["config"]["epochs"] or "epochs" in values:
            values["epochs"] = self.best.epochs
        return fit_command(recipe, values)


def trial_folder(search: Path, number: int) -> Path:
    """Return the folder of a trial."""
    return search / TRIALS / f"{number:04d}"


def load_search(path: str | Path) -> Search:
    """Open a search folder.

    Raises:
        SettingError: The folder does not exist, or is not a search.
        DamagedFileError: Its journal is missing.
    """
    path = Path(path)
    if not (path / JOURNAL).is_file():
        if (path / TRIALS).is_dir():
            raise DamagedFileError(f"{path / JOURNAL} is missing: the search is incomplete.")
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SettingError(f"Search {str(path)!r} not found.{did_you_mean(path.name, names)}")
    return Search(path)


def trials_of(events: list[dict[str, Any]]) -> list[Trial]:
    """Return the trials in a journal, in the order of their numbers."""
    found: dict[int, Trial] = {}
    for event in events:
        if event["event"] == "trial":
            found[event["trial"]] = Trial.from_event(event)
        elif event["event"] == "end":
            found[event["trial"]].end(event)
    return [found[number] for number in sorted(found)]


def ranked(trials: list[Trial], direction: str) -> list[Trial]:
    """Return the completed trials, the best first; ties are broken by val_loss, then number."""
    sign = 1 if direction == "max" else -1
    done = [trial for trial in trials if trial.state == "completed"]
    return sorted(
        done, key=lambda t: (-sign * (t.score or 0.0), t.outcome.get("val_loss", 0.0), t.number)
    )


def trials_csv(trials: list[Trial]) -> str:
    """Return the trials as CSV."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    # Epochs include those of the head, as in a history.
    columns = ["trial", "state", "score", "val_loss", "best_epoch", "epochs", "continues"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "seconds", "reason", *names])
    for trial in trials:
        end = trial.outcome
        row = [trial.number, trial.state, trial.score, end.get("val_loss"), end.get("best_epoch")]
        row += [end.get("epochs"), trial.continues, end.get("seconds"), end.get("reason")]
        writer.writerow([*row, *(trial.values.get(name) for name in names)])
    return text.getvalue()


def write_search_report(search: Search, path: str | Path | None = None) -> Path:
    """Write a self-contained HTML report of a search.

    Args:
        search: A search, finished or not.
        path: Path of the file; `report.html` in the search folder by default.

    Returns:
        Path of the file.
    """
    path = search.path / "report.html" if path is None else Path(path)
    return search_report(path, *_contents(search))


def _contents(
    search: Search,
) -> tuple[str, dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]:
    """Return the name, header, trials and winner of a search, as `search_report` takes them."""
    header, trials = search.header, search.trials
    done = ranked(trials, header["objective"]["direction"])
    rows = [{**vars(trial), "seconds": trial.outcome.get("seconds")} for trial in trials]
    winner = None
    if done:
        noise = search.noise if trials[0].score is not None else None
        winner = {"number": done[0].number, "noise": noise, "command": search.fit_command}
    return f"{header['recipe']['name']}/{search.path.name}", header, rows, winner
