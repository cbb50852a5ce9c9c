"""The display of a notebook: one output that is replaced, of a limited number of lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from kerasft.display.base import Activity, Cell, Display
from kerasft.display.layout import heading_line, kept_cells, live_lines, log_lines, row_lines

_WIDTH = 100
_MOST_LINES = 30
_EVERY = 0.5  # seconds between two updates


class NotebookDisplay(Display):
    """Shows the last lines and what runs in one output of a cell.

    Args:
        update: Function that replaces the text of the output.
    """

    live = True

    def __init__(self, update: Callable[[str], None]) -> None:
        super().__init__()
        self._update = update
        self._lines: list[str] = []
        self._headings: tuple[str, ...] = ()
        self._updated = 0.0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the lines without bars."""
        self.text = ""
        self.activities.clear()
        self._show()

    def line(self, text: str) -> None:
        """Add a line."""
        self._lines += log_lines(text, _WIDTH)
        self._show()

    def row(self, cells: Sequence[Cell], plain: str, style: str = "") -> None:
        """Add a row, after the headings where they differ from those above."""
        kept = kept_cells(cells, _WIDTH)
        headings = tuple(cell.heading for cell in kept)
        if headings != self._headings:
            self._headings = headings
            self._lines.append(heading_line(kept, _WIDTH))
        self._lines += row_lines(kept, _WIDTH)
        self._show()

    def status(self, text: str) -> None:
        """Show the status."""
        super().status(text)
        self._show()

    def changed(self, activity: Activity) -> None:
        """Show an activity, at most twice a second."""
        if time.monotonic() - self._updated > _EVERY:
            self._show()

    def _show(self) -> None:
        self._updated = time.monotonic()
        more = len(self._lines) - _MOST_LINES
        above = [f"({more} lines above)"] if more > 0 else []
        lines = [*above, *self._lines[-_MOST_LINES:], *live_lines(self, _WIDTH)]
        self._update("\n".join(lines))


def notebook_output() -> Callable[[str], None] | None:
    """Return a function that replaces the text of a new output of the cell, None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):  # a shell in a terminal has none
        return None
    from IPython import display

    show: Any = display.display  # not typed
    handle = show({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)
