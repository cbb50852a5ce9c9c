"""Results on standard output: tables for people, JSON for programs."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kerasft.formatting import printable, shown

_NARROWEST = 20  # width of a column of text below which rows are printed as lines


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a JSON value: null for NaN and infinity; paths, dates and the like as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    indent: str = "",
    *,
    capitals: bool = True,
    optional: Sequence[str] = (),
) -> None:
    """Print a table: numbers aligned right, text left.

    On a terminal it fits the width: optional columns are left out, then text is wrapped, and as
    the last resort every row is printed as lines of heading and value. No number is broken.

    Args:
        headings: One per column.
        rows: Cells, in the order of the headings.
        indent: Prefix of every line.
        capitals: Whether to print headings in capitals; False if they are class names.
        optional: Headings of the columns that are left out first, in this order.
    """
    titles = [printable(text.upper() if capitals else text) for text in headings]
    numbers = [
        bool(rows) and all(type(row[i]) in (int, float, type(None)) for row in rows)
        for i in range(len(headings))
    ]
    columns = [
        _Column(title, [shown(row[i]) for row in rows], number=number)
        for i, (title, number) in enumerate(zip(titles, numbers, strict=True))
    ]
    left_out = [headings.index(name) for name in optional if name in headings]
    width = terminal_width() - len(indent)
    while left_out and _natural_width(columns) > width:
        columns[left_out.pop(0)].hidden = True
    kept = [column for column in columns if not column.hidden]
    if not _narrow(kept, width):
        _print_records(kept, indent)
        return
    click.secho(indent + _join([(c, c.title) for c in kept]), bold=True)
    for number in range(len(rows)):
        for texts in itertools.zip_longest(*(c.lines(number) for c in kept), fillvalue=""):
            click.echo(indent + _join(list(zip(kept, texts, strict=True))))


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def terminal_width() -> int:
    """Return the width of the terminal of standard output, no limit where it is none."""
    return shutil.get_terminal_size().columns if on_terminal() else sys.maxsize


class _Column:
    """A column of a table with its width.

    Args:
        title: Heading.
        texts: Text of each cell.
        number: Whether it has numbers, which are never wrapped.
    """

    def __init__(self, title: str, texts: list[str], *, number: bool) -> None:
        self.title, self.texts, self.number, self.hidden = title, texts, number, False
        self.width = max(map(len, (title, *texts)))
        words = [len(word.rstrip()) for text in (title, *texts) for word in _words(text)]
        self.least = self.width if number else max(*words, min(self.width, _NARROWEST))

    def lines(self, row: int) -> list[str]:
        """Return the lines of a cell."""
        return wrapped(self.texts[row], self.width)

    def padded(self, text: str) -> str:
        """Return a text in the width of the column."""
        return text.rjust(self.width) if self.number else text.ljust(self.width)


def _words(text: str) -> list[str]:
    """Return the parts of a text between which it may be wrapped: after spaces and slashes."""
    return re.findall(r"[^ /]*[ /]+|[^ /]+", text) or [""]


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text, wrapped after spaces and slashes; longer words stay whole."""
    lines = [""]
    for word in _words(text):
        if lines[-1] and len(lines[-1] + word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def _natural_width(columns: Sequence[_Column]) -> int:
    kept = [column for column in columns if not column.hidden]
    return sum(column.width for column in kept) + 2 * (len(kept) - 1)


def _narrow(columns: Sequence[_Column], width: int) -> bool:
    """Narrow the widest columns of text to a width; return whether that is possible."""
    while (more := _natural_width(columns) - width) > 0:
        free = [column for column in columns if column.width > column.least]
        if not free:
            return False
        widest = max(free, key=lambda column: column.width)
        widest.width = max(widest.least, widest.width - more, widest.width // 2)
    return True


def _join(cells: Sequence[tuple[_Column, str]]) -> str:
    return "  ".join(column.padded(text) for column, text in cells).rstrip()


def _print_records(columns: Sequence[_Column], indent: str) -> None:
    """Print each row as lines of heading and value."""
    widest = max(len(column.title) for column in columns)
    width = max(terminal_width() - len(indent) - widest - 2, _NARROWEST)
    for number in range(len(columns[0].texts)):
        if number:
            click.echo()
        for column in columns:
            lines = wrapped(column.texts[number], width) if column.texts[number] else []
            for index, line in enumerate(lines):
                title = click.style(f"{'' if index else column.title:<{widest}}", bold=True)
                click.echo(f"{indent}{title}  {line}")


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print one name and value per line; further values of a list are indented below.

    On a terminal, a long text is wrapped; the lines of a list are commands, which are not.
    """
    indent = max(map(len, facts)) + 2
    width = terminal_width() - indent
    if width < _NARROWEST and max(len(shown(value)) for value in facts.values()) > width:
        indent, width = 2, terminal_width() - 2
    for name, value in facts.items():
        text = shown(value) if not isinstance(value, list) else ""
        lines = value if isinstance(value, list) else wrapped(text, width)
        lines = [text] if text.startswith("kerasft ") else lines
        if len(name) + 2 > indent:  # too narrow for two columns
            click.echo(name)
            name = ""
        for index, line in enumerate(lines):
            click.echo(f"{'' if index else name:<{indent}}{shown(line)}".rstrip())


def size(count: float) -> str:
    """Return a number of bytes with its unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def short_path(path: Path) -> str:
    """Return a path with ~ for the user's folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
