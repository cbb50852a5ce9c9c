"""The display of a log file or a pipe: lines, each written once."""

from __future__ import annotations

import time
from typing import TextIO

from kerasft.display.base import Activity, Display
from kerasft.formatting import duration, printable

_EVERY = 30.0  # seconds between two lines of an activity


class PlainDisplay(Display):
    """Writes lines; activities get one every half minute.

    Args:
        stream: Stream to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self.written = time.monotonic()

    def line(self, text: str) -> None:
        """Write a line."""
        self.written = time.monotonic()
        print(printable(text), file=self.stream, flush=True)

    def status(self, text: str) -> None:
        """Write the status, unless it is the same as before."""
        if text and text != self.doing.text:
            self.line(f"...    {text}")
        super().status(text)

    def changed(self, activity: Activity) -> None:
        """Write a line about an activity if none was written for some time."""
        if time.monotonic() - self.written < _EVERY:
            return
        total = "" if activity.total is None else f" of {activity.total:,}"
        left = activity.seconds_left()
        end = "" if left is None else f", left {duration(left)}"
        self.line(f"...    {activity.text}: {activity.done:,}{total}{end}")
