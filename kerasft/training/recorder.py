"""The record of a training while it runs: its history and its log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from kerasft.display import current
from kerasft.runs import Run, open_to_append, write_history


def log_writer(run: Run) -> Callable[..., None]:
    """Return a function that writes a line to the run's log and shows it."""

    def write(line: str, *, log_only: bool = False) -> None:
        with open_to_append(run.path / "run.log") as log:
            log.write(line + "\n")
        if not log_only:
            display = current()
            display.line(display.wording(line))

    return write


class Recorder(keras.callbacks.Callback):
    """Adds each epoch to the history of a run.

    Args:
        run: Run to write to; None keeps the history in memory.

    Attributes:
        phase: Name of the present phase, set by the training loop.
        history: One record per epoch.
    """

    def __init__(self, run: Run | None) -> None:
        super().__init__()
        self.run, self.phase, self.began = run, "", 0.0
        self.history: list[dict[str, Any]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock of the epoch."""
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the history with this epoch."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self.began, 3)
        self.history.append(
            {"epoch": len(self.history) + 1, "phase": self.phase, **values, "seconds": seconds}
        )
        if self.run is not None:
            write_history(self.run, self.history)
