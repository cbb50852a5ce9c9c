"""Facts about a run, read once from its files: the input of every rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.formatting import number
from kerasft.runs import Run, read_json
from kerasft.tasks import Task, compared_metric, task_of
from kerasft.tasks.intervals import share_interval


@dataclass(frozen=True)
class Facts:
    """The files of a run, read once.

    Attributes:
        state: State, as `Run.state`.
        reason: Error message of a failed fit.
        task: Name of a task in `kerasft.tasks`.
        settings: All settings.
        changed: Settings that differ from the recipe's defaults.
        defaults: Default settings of the recipe; empty in older records.
        recipe: Name or path of the recipe, as `kerasft fit` takes it.
        rows: One record per epoch; `epoch` counts from 1.
        counts: Number of examples by split.
        audit: Measures of the data, as in `Data.audit`; empty in older records.
        metrics: Metrics by split.
        best_epoch: Best epoch of a finished run, counted from 1; 0 is the start as a linear probe,
            None unknown.
        blocks: Number of blocks of the backbone, 0 if unknown.
        length_setting: Setting that limits the length of an input, empty where none does.
        config_class: Config class of the modality, whose conditions every advice must meet.
        failure: `diverged` if the loss became NaN or infinite, else empty.
        probe: Validation metrics of the linear probe as which the output layer began; empty
            without one.
        untrained: What needs no training (`by`), its `metric` and validation scores; empty if it
            was not measured.
        head_start: Start of the output layer (`linear`, `class_means` or `random`); empty if the
            model has more than that beyond its backbone.
        calibration: Record of the calibration, as `Run.calibration`; empty for older or unfinished
            runs.
        classes: Number of classes.
        range_test: Whether a range test has found the learning rates.
    """

    state: str
    reason: str
    task: str
    settings: dict[str, Any]
    changed: dict[str, Any]
    defaults: dict[str, Any]
    recipe: str
    rows: list[dict[str, Any]]
    counts: dict[str, int]
    audit: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    best_epoch: int | None
    blocks: int = 0
    length_setting: str = ""
    config_class: type[Config] = Config
    failure: str = ""
    probe: dict[str, float] = field(default_factory=dict)
    untrained: dict[str, Any] = field(default_factory=dict)
    head_start: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)
    classes: int = 2
    range_test: bool = False

    @property
    def kind(self) -> Task:
        """The task object."""
        return task_of(self.task)

    @property
    def metric(self) -> str:
        """What the fit monitors, unless that is the loss, else the main metric of the task."""
        return compared_metric(self.kind, self.settings.get("monitor"))

    @property
    def main(self) -> list[dict[str, Any]]:
        """The epochs of the main phase."""
        return [row for row in self.rows if row.get("phase") == "main"]

    @property
    def before(self) -> list[dict[str, Any]]:
        """The epochs before the main phase: head phase and gradual unfreezing."""
        return [row for row in self.rows if row.get("phase") != "main"]

    @property
    def head(self) -> list[dict[str, Any]]:
        """The epochs of the head phase."""
        return [row for row in self.rows if row.get("phase") == "head"]

    @property
    def start_loss(self) -> float | None:
        """Validation loss before blocks train: after the head phase, or of a linear probe."""
        if self.head:
            return float(self.curve("val_loss", self.head)[-1])
        trained = self.settings.get("trainable_blocks")
        return self.probe["loss"] - self.least_loss if self.probe and trained else None

    @property
    def best_row(self) -> dict[str, Any] | None:
        """The best epoch; None if it is unknown, or the start."""
        return next((row for row in self.rows if row.get("epoch") == self.best_epoch), None)

    @property
    def settled(self) -> list[dict[str, Any]]:
        """The epochs of the main phase after its warm-up: from the highest learning rate on."""
        rates = [row.get("learning_rate") or 0.0 for row in self.main]
        return self.main[rates.index(max(rates)) :] if rates else []

    @property
    def good(self) -> bool:
        """Whether the main phase removed nine tenths of the loss of a constant baseline."""
        val = self.curve("val_loss")
        return bool(np.isfinite(val).any() and np.nanmin(val) <= 0.1 * self.baseline_loss)

    @property
    def reported_split(self) -> str:
        """The split whose scores and predictions a report shows."""
        return "test" if "test" in self.metrics else "validation"

    def curve(self, name: str, rows: list[dict[str, Any]] | None = None) -> np.ndarray:
        """Return a column of the main phase, or of other epochs; NaN for missing values.

        Losses are in excess of `least_loss`.
        """
        chosen = self.main if rows is None else rows
        values = [row.get(name) for row in chosen]
        found = np.array([math.nan if v is None else float(v) for v in values])
        return found - self.least_loss if name in ("loss", "val_loss") else found

    @cached_property
    def _loss_range(self) -> tuple[float, float]:
        loss, smoothing = self.settings.get("loss"), self.settings.get("label_smoothing")
        return self.kind.loss_range(self.class_shares, str(loss or "auto"), float(smoothing or 0))

    @property
    def least_loss(self) -> float:
        """The least possible loss, above 0 with smoothed labels; the rules judge the excess."""
        return self._loss_range[0]

    @property
    def baseline_loss(self) -> float:
        """The loss of the constant baseline on the training split, in excess of `least_loss`."""
        least, constant = self._loss_range
        return constant - least

    def shown(self, excess: float) -> str:
        """Return a loss in excess of `least_loss` as the record has it."""
        return number(excess + self.least_loss)

    @property
    def class_counts(self) -> dict[str, int]:
        """Number of training examples by class; empty if unknown."""
        return dict(self.audit.get("class_counts", {}))

    @property
    def class_shares(self) -> np.ndarray:
        """Share of each class in the training split; equal shares if unknown."""
        counts = np.array(list(self.class_counts.values()), float)
        if not counts.size:
            return np.full(self.classes, 1 / self.classes)
        return self.kind.class_shares(counts, self.counts.get("train", 0))

    @property
    def few_examples(self) -> bool:
        """Whether training has fewer than ten examples per class, or a hundred for regression."""
        classes = max(len(self.class_shares), 1) if self.kind.has_classes else 10
        return self.counts.get("train", 0) < 10 * classes

    def uncertainty(self, score: float) -> float:
        """Return half the 95% interval of an accuracy on the validation split."""
        low, high = share_interval(score, self.counts.get("validation", 0))
        return (high - low) / 2


def read_facts(run: Run) -> Facts:
    """Read the facts about a run.

    Args:
        run: Any run, finished or not.

    Raises:
        DamagedFileError: A file of the record is missing or damaged.
    """
    manifest = read_json(run.path / "manifest.json", "recipe")
    recipe = manifest["recipe"]
    return Facts(
        state=run.state,
        reason=str(manifest.get("reason") or ""),
        failure=_failure(manifest),
        task=str(run.labels["task"]),
        settings=read_json(run.record_file("config.json"), "learning_rate") | _head_rate(manifest),
        changed=dict(manifest.get("given", {})),
        defaults=dict(manifest.get("usual", {})),
        recipe=str(recipe.get("source") or recipe["name"]),
        rows=run.history,
        counts=dict(manifest.get("data", {}).get("examples", {})),
        audit=dict(manifest.get("data", {}).get("audit", {})),
        metrics=run.metrics,
        best_epoch=manifest.get("best_epoch") if manifest.get("state") == "done" else None,
        blocks=sum(row["name"] != "head" for row in manifest.get("blocks", [])),
        length_setting=run.modality.length_setting,
        config_class=run.modality.config_class,
        probe=dict(manifest.get("linear_probe") or {}),
        untrained=dict(manifest.get("untrained") or {}),
        head_start=str(manifest.get("head_start") or ""),
        calibration=run.calibration,
        classes=max(len(run.labels["names"]), 2),
        range_test=bool(manifest.get("range_test")),
    )


def _head_rate(manifest: dict[str, Any]) -> dict[str, float]:
    """Return the rate that the head phase had, which can be lower than that of the settings."""
    rates = manifest.get("learning_rates") or {}
    return {"head_learning_rate": rates["head"]} if "head" in rates else {}


def _failure(manifest: dict[str, Any]) -> str:
    """Return how a fit failed; older records have only the message."""
    if "failure" in manifest:
        return str(manifest["failure"] or "")
    return "diverged" if "loss became" in str(manifest.get("reason") or "") else ""
