"""The display of a notebook: one output that is replaced, of a limited number of lines."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator

from kerasft.display.base import Activity
from kerasft.display.rich_display import RichDisplay

_WIDTH = 100
_MOST_LINES = 30
_EVERY = 0.5  # seconds between two updates


class NotebookDisplay(RichDisplay):
    """Shows the last lines and what runs in one output of a cell.

    Args:
        update: Function that replaces the text of the output.
    """

    def __init__(self, update: Callable[[str], None]) -> None:
        self._printed = io.StringIO()
        super().__init__(self._printed, terminal=False, width=_WIDTH)
        self._update = update
        self._updated = 0.0

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw while the body runs, and leave the lines without bars."""
        try:
            yield
        finally:
            self.activities.clear()
            self.status("")

    def changed(self, activity: Activity) -> None:
        """Show an activity, at most twice a second."""
        if time.monotonic() - self._updated > _EVERY:
            self.refresh()

    def refresh(self) -> None:
        """Replace the text of the output."""
        self._updated = time.monotonic()
        with self.console.capture() as running:
            self.console.print(self.running())
        above = self._printed.getvalue().splitlines()
        more = len(above) - _MOST_LINES
        lines = [f"({more} lines above)"] if more > 0 else []
        lines += [*above[-_MOST_LINES:], *running.get().splitlines()]
        self._update("\n".join(line.rstrip() for line in lines))
