"""Progress of a training: one line per epoch, updated in place on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import keras

from kerasft.formatting import duration, number

_SHOWN = ("loss", "penalty", "accuracy", "f1", "rmse", "r2")


class Progress(keras.callbacks.Callback):
    """Writes one line per epoch: updated in place on a terminal, elsewhere written once.

    Args:
        phase: Name of the phase.
        epochs: Number of epochs of all phases, as numbered in `fit`.
        write: Function that receives each finished line (the run's log).
        is_best: Function that returns whether the epoch that just ended is the best so far.
        stream: Stream to write to; None writes nothing.
    """

    def __init__(
        self,
        phase: str,
        epochs: int,
        write: Callable[[str], None],
        is_best: Callable[[int], bool],
        stream: TextIO | None = sys.stderr,
    ) -> None:
        super().__init__()
        self.phase, self.epochs, self.write, self.is_best = phase, epochs, write, is_best
        self.stream = stream
        self.live = stream is not None and stream.isatty()
        self.times: list[float] = []
        self.began = self.drawn = 0.0
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock of the epoch."""
        self.epoch, self.began, self.drawn = epoch, time.monotonic(), 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the line, at most five times a second."""
        now = time.monotonic()
        if not self.live or now - self.drawn < 0.2:
            return
        self.drawn = now
        steps = self.params.get("steps") or 0
        part = f"step {batch + 1}/{steps}" if steps else f"step {batch + 1}"
        left = (now - self.began) / (batch + 1) * (steps - batch - 1) if steps else 0
        loss = number(float((logs or {}).get("loss", 0.0)))
        self._draw(f"{self._title()}  {part}  loss {loss}  epoch ends in {duration(left)}", "")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the line of the epoch."""
        logs = logs or {}
        self.times.append(time.monotonic() - self.began)
        cells = [self._title()]
        for name in _SHOWN:
            if name in logs and (name != "penalty" or logs[name]):
                value = number(logs[name])
                other = f"/{number(logs[f'val_{name}'])}" if f"val_{name}" in logs else ""
                cells.append(f"{name} {value}{other}")
        cells.append(f"rate {number(logs.get('learning_rate', 0.0))}")
        cells.append(duration(self.times[-1]))
        # The first epoch also compiles; later ones predict the rest better.
        usual = self.times[1:] or self.times
        left = (self.epochs - epoch - 1) * sum(usual) / len(usual)
        cells.append(f"left {duration(left)}" if left else "")
        line = "  ".join(cell for cell in cells if cell) + ("  best" if self.is_best(epoch) else "")
        self._draw(line, "\n")
        self.write(line)

    def _title(self) -> str:
        return f"epoch {self.epoch + 1}/{self.epochs} {self.phase}"

    def _draw(self, line: str, end: str) -> None:
        if self.stream is not None:
            self.stream.write(f"\r\x1b[K{line}{end}" if self.live else f"{line}{end}")
            self.stream.flush()
