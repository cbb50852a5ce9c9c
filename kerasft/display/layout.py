"""Bars and rows as lines of text that fit a width."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace

from kerasft.display.base import Activity, Cell, Display
from kerasft.formatting import duration

_GAP = "  "
_WIDEST_BAR, _SHORTEST_BAR = 30, 6
_LEAST_TEXT = 12  # width of a wrapped column below which other columns are left out
_MOST_BARS = 8


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


def heading_line(cells: Sequence[Cell], width: int) -> str:
    """Return the headings of a table whose cells were kept for a width."""
    return row_lines([replace(cell, text=cell.heading.upper()) for cell in cells], width)[0]


def row_lines(cells: Sequence[Cell], width: int) -> list[str]:
    """Return the lines of a row: numbers aligned right, one text wrapped into the space left."""
    fixed = sum(_least(cell) for cell in cells if cell.width is not None)
    room = max(width - fixed - len(_GAP) * (len(cells) - 1), _LEAST_TEXT)
    columns = [
        textwrap.wrap(cell.text, room) or [""] if cell.width is None else [cell.text]
        for cell in cells
    ]
    lines = []
    for number in range(max(map(len, columns))):
        texts = [column[number] if number < len(column) else "" for column in columns]
        padded = [
            text.ljust(room if cell.width is None else _least(cell))
            if cell.left or cell.width is None
            else text.rjust(_least(cell))
            for text, cell in zip(texts, cells, strict=True)
        ]
        lines.append(_GAP.join(padded).rstrip())
    return lines


def log_lines(text: str, width: int) -> list[str]:
    """Return a line of the log wrapped at spaces; further lines are indented below its text."""
    if len(text) <= width:
        return [text]
    indent = " " * 7 if width >= 40 else "  "
    key = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.lstrip(), width, initial_indent=key, subsequent_indent=indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def live_lines(display: Display, width: int, *, full: str = "━", rest: str = "─") -> list[str]:
    """Return the lines for what runs now: its activities, or the status without any.

    Args:
        display: Display with the activities and the status.
        width: Width of a line.
        full: Character of the finished part of a bar.
        rest: Character of the part left.
    """
    activities = display.activities[:_MOST_BARS]
    if not activities:
        passed = duration(time.monotonic() - display.since)
        return [f"{display.text}{_GAP}{passed}"[:width]] if display.text else []
    return [line for each in activities for line in _bar_lines(each, width, full, rest)]


def _bar_lines(activity: Activity, width: int, full: str, rest: str) -> list[str]:
    if not activity.total:
        passed = duration(time.monotonic() - activity.began)
        lines = [f"{activity.text}{_GAP}{passed}"[:width]]
    else:
        left = activity.seconds_left()
        ends = [f"{activity.done:,}/{activity.total:,}"]
        ends += [] if left is None else [f"{duration(left)} left"]
        end = _joined(ends, width - len(activity.text) - 1)
        room = min(width - len(activity.text) - len(end) - 2, _WIDEST_BAR)
        filled = round(room * min(activity.done / activity.total, 1.0))
        bar = full * filled + rest * (room - filled) if room >= _SHORTEST_BAR else ""
        lines = [" ".join(part for part in (activity.text, bar, end) if part)[:width]]
    details = _joined(activity.details, width - len(_GAP))
    return [*lines, _GAP + details] if details else lines


def _joined(parts: Sequence[str], width: int) -> str:
    """Return the first parts that fit a width, none of them cut."""
    line = ""
    for part in parts:
        longer = f"{line}{_GAP}{part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return line
