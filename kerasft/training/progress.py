"""Progress of a training: a bar over all its steps, and a table of its epochs."""

from __future__ import annotations

import math
import time
from typing import Any

import keras

from kerasft.data import Split
from kerasft.display import Activity, Cell, current
from kerasft.formatting import duration, number
from kerasft.tasks import task_of
from kerasft.training.callbacks import learning_rate
from kerasft.training.context import FitContext

_RANK_OF_LOSSES = 5  # of their columns: metrics that count are kept longer on a narrow terminal
_EVERY = 0.5  # seconds between two descriptions of the present step


class Progress(keras.callbacks.Callback):
    """Describes the present step below the bar, and writes each epoch to the table and the log.

    The values of a step are those that Keras hands to every callback; the learning rate is read
    from the device twice a second, and only while a bar is drawn.

    Args:
        context: Context of the training.
        phase: Name of the phase.
        epochs: Number of epochs of all phases, as numbered in `fit`.
        bar: Bar of the training.
    """

    def __init__(self, context: FitContext, phase: str, epochs: int, bar: Activity) -> None:
        super().__init__()
        self.context, self.phase, self.epochs, self.bar = context, phase, epochs, bar
        self.display, self.task = current(), task_of(context.config.task)
        monitored = context.best_weights.monitor.removeprefix("val_")
        names = dict.fromkeys((monitored, *self.task.main_metrics))
        self.ranks = {name: 1 + place for place, name in enumerate(names)}
        train = context.data.train
        self.examples = len(train) if isinstance(train, Split) else 0
        self.times: list[float] = []
        self.began = self.described = 0.0
        self.first = (0, 0.0)  # the first step of the epoch that has ended, and its time
        self.epoch = self.steps = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock of the epoch."""
        self.epoch, self.steps = epoch, self.params.get("steps") or 0
        self.began, self.described, self.first = time.monotonic(), 0.0, (0, 0.0)
        self.bar.text = self.phase
        self.bar.total = self.epochs * self.steps or None
        self._describe(epoch * self.steps, "")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar; describe the step twice a second."""
        if not self.display.live:
            return
        now, step = time.monotonic(), batch + 1
        self.bar.done = self.epoch * self.steps + step
        if not self.first[0]:
            self.first = step, now
        if now - self.described < _EVERY:
            return
        self.described = now
        logs = logs or {}
        self.bar.left = self._seconds_left(step, now)
        self._describe(
            self.bar.done,
            f"step {step}/{self.steps}" if self.steps else f"step {step}",
            f"loss {number(logs.get('data_loss', logs.get('loss', 0.0)))}",
            self._speed(step, now),
            f"learning rate {number(learning_rate(self.model))}",
        )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Describe the validation that ends an epoch."""
        self._describe((self.epoch + 1) * self.steps, "validation")

    def _describe(self, done: int, *details: str) -> None:
        self.bar.done = done
        parts = (f"epoch {self.epoch + 1}/{self.epochs}", *details)
        self.bar.details = tuple(part for part in parts if part)
        self.bar.changed()

    def _speed(self, step: int, now: float) -> str:
        """Return the throughput since the first step of the epoch, or that of earlier epochs."""
        first, since = self.first
        steps, seconds = step - first, now - since
        if not steps and self.times:
            steps, seconds = self.steps, self.times[-1]
        if not steps or not self.steps or not self.examples:
            return ""
        return f"{self.examples / self.steps * steps / seconds:,.0f} examples/s"

    def _seconds_left(self, step: int, now: float) -> float:
        """Return the estimated seconds until the last epoch ends, NaN where they are not known."""
        first, since = self.first
        # The first epoch also traces and compiles, most of it in its first step.
        usual = self.times[1:] or self.times
        if usual:
            each = sum(usual) / len(usual)
            left = max(each - (now - self.began), 0.0)
        elif self.steps and step > first:
            seconds = (now - since) / (step - first)
            each, left = self.steps * seconds, (self.steps - step) * seconds
        else:
            return math.nan
        return left + (self.epochs - self.epoch - 1) * each

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch."""
        logs = logs or {}
        self.times.append(time.monotonic() - self.began)
        usual = self.times[1:] or self.times
        left = (self.epochs - epoch - 1) * sum(usual) / len(usual)
        self.bar.left = left
        best = self.context.best_weights.best_epoch == epoch
        line = self._line(logs, duration(left) if left else "", best=best)
        self.display.row(self._cells(logs, best=best), line, "good" if best else "")
        self.context.log(line, log_only=True)

    def _line(self, logs: dict[str, Any], left: str, *, best: bool) -> str:
        """Return the line of an epoch in the log."""
        cells = [f"epoch {self.epoch + 1}/{self.epochs} {self.phase}"]
        title = self.task.metric_title
        cells += [f"{title(name)} {_pair(logs, name, number)}" for name in self._measured(logs)]
        cells.append(f"learning rate {number(logs.get('learning_rate', 0.0))}")
        cells.append(duration(self.times[-1]))
        cells += [f"left {left}"] * bool(left) + ["best"] * best
        return "  ".join(cells)

    def _cells(self, logs: dict[str, Any], *, best: bool) -> list[Cell]:
        """Return the row of an epoch in the table."""
        width = max(len(f"{self.epochs}/{self.epochs}"), 5)
        metrics = [
            Cell(
                self.task.metric_title(name),
                _pair(logs, name, _short),
                13,
                self.ranks.get(name, _RANK_OF_LOSSES),
            )
            for name in self._measured(logs)
        ]
        return [
            Cell("epoch", f"{self.epoch + 1}/{self.epochs}", width),
            Cell("phase", self.phase, 6, 6, left=True),
            *metrics,
            Cell("learning rate", number(logs.get("learning_rate", 0.0)), 9, 7),
            Cell("time", duration(self.times[-1]), 6, 5),
            Cell("", "best" if best else "", 4),
        ]

    def _measured(self, logs: dict[str, Any]) -> list[str]:
        """Return the names of the metrics to show; a penalty of 0 is not."""
        names = [name for name in self.task.directions if name in self.ranks and name != "loss"]
        return (
            ["loss"] * ("loss" in logs)
            + ["penalty"] * bool(logs.get("penalty"))
            + [name for name in names if name in logs]
        )


def _pair(logs: dict[str, Any], name: str, text: Any) -> str:
    """Return the value of training and, after a slash, that of validation."""
    other = f"/{text(logs[f'val_{name}'])}" if f"val_{name}" in logs else ""
    return f"{text(logs[name])}{other}"


def _short(value: float) -> str:
    """Return a number in about six characters."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 10 else number(value)
