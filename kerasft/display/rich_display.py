"""What the displays of a terminal and of a notebook draw with rich: lines, rows and bars."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text
from rich.theme import Theme

from kerasft.display.base import Activity, Cell, Display
from kerasft.formatting import duration, printable

_GAP = "  "
_LEAST_TEXT = 12  # width of a wrapped column below which other columns are left out
_THEME = Theme({"good": "green", "bad": "red", "warning": "yellow"})
_WARNINGS = ("watch ", "stop ")  # first words of lines that need attention


class RichDisplay(Display):
    """Prints lines and rows to a console of rich; subclasses draw what runs below them.

    Args:
        file: Stream to write to.
        terminal: Whether it is a terminal, which has colors.
        width: Width of a line; None for that of the terminal.
    """

    live = True

    def __init__(self, file: TextIO, *, terminal: bool, width: int | None = None) -> None:
        super().__init__()
        self.console = Console(
            file=file, force_terminal=terminal, width=width, theme=_THEME, force_jupyter=False,
            markup=False, highlight=False, emoji=False,
        )  # fmt: skip
        self._headings: list[str] = []

    def refresh(self) -> None:
        """Draw what runs now."""

    def line(self, text: str) -> None:
        """Print a line, wrapped at spaces."""
        style = "warning" if text.startswith(_WARNINGS) else ""
        lines = _wrapped(printable(text), self.console.width)
        self.console.print(Text(lines, style), soft_wrap=True)
        self.refresh()

    def row(self, cells: Sequence[Cell], plain: str, style: str = "") -> None:
        """Print a row, below the headings where they differ from those above."""
        cells = kept_cells(cells, self.console.width)
        headings = [cell.heading for cell in cells]
        self.console.print(_row_table(cells, style, show_headings=headings != self._headings))
        self._headings = headings
        self.refresh()

    def status(self, text: str) -> None:
        """Draw the status at once: what follows may keep Python busy."""
        super().status(text)
        self.refresh()

    def running(self) -> Group:
        """Return what runs now: the activities, or the status without any."""
        shown = self.activities or [self.doing]
        return Group(*(_bar(each, self.console.width // 4) for each in shown if each.text))


def _bar(activity: Activity, widest: int) -> RenderableType:
    """Return the bar of an activity, or its steps and time where its total is not known."""
    if not activity.total:
        done = f"{activity.done:,}{_GAP}" if activity.done else ""
        passed = duration(time.monotonic() - activity.began)
        bar: RenderableType = _one_line(f"{activity.text}{_GAP}{done}{passed}")
    else:
        left = activity.seconds_left()
        bar = Table.grid(
            Column(), Column(max_width=widest), Column(no_wrap=True), Column(no_wrap=True),
            padding=(0, 1),
        )  # fmt: skip
        bar.add_row(
            _one_line(activity.text),
            ProgressBar(activity.total, activity.done),
            f"{activity.done:,}/{activity.total:,}",
            "" if left is None else f"{duration(left)} left",
        )
    if not activity.details:
        return bar
    return Group(bar, _one_line(_GAP + _GAP.join(activity.details)))


def _one_line(text: str) -> Text:
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def kept_cells(cells: Sequence[Cell], width: int) -> list[Cell]:
    """Return the cells of a row that fit a width, in their order; those of rank 0 always."""
    kept, room = set(), width + len(_GAP)
    for cell in sorted(cells, key=lambda cell: cell.rank):
        needed = _least(cell) + len(_GAP)
        if needed <= room or cell.rank == 0:
            kept.add(cell.heading)
            room -= needed
    return [cell for cell in cells if cell.heading in kept]


def _least(cell: Cell) -> int:
    return _LEAST_TEXT if cell.width is None else max(cell.width, len(cell.heading))


def _row_table(cells: Sequence[Cell], style: str, *, show_headings: bool) -> Table:
    """Return a row as a table of its own, whose columns are aligned with those of other rows."""
    table = Table(
        box=None, show_header=show_headings, padding=(0, len(_GAP), 0, 0), pad_edge=False,
        expand=any(cell.width is None for cell in cells),
    )  # fmt: skip
    for cell in cells:
        heading = cell.heading.upper()
        if cell.width is None:
            table.add_column(heading, ratio=1)
        else:
            justify: JustifyMethod = "left" if cell.left else "right"
            table.add_column(heading, justify=justify, min_width=_least(cell), no_wrap=True)
    table.add_row(*(Text(printable(cell.text)) for cell in cells), style=style)
    return table


def _wrapped(text: str, width: int) -> str:
    """Return a line of the log wrapped at spaces; further lines are indented below its text."""
    if len(text) <= width:
        return text
    indent = " " * 7 if width >= 40 else "  "
    key = text[: len(text) - len(text.lstrip())]
    return textwrap.fill(
        text.lstrip(), width, initial_indent=key, subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
