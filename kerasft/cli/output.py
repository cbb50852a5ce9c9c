"""Results on standard output: tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kerasft.formatting import shown


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a JSON value: NumPy and paths converted, null for NaN and infinity."""
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
    return value


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    indent: str = "",
    *,
    capitals: bool = True,
) -> None:
    """Print a table: numbers aligned right, text left.

    On a terminal, lines are cut to its width.

    Args:
        headings: One per column.
        rows: Cells, in the order of the headings.
        indent: Prefix of every line.
        capitals: Whether to print headings in capitals; False if they are class names.
    """
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    numeric = [
        bool(rows) and all(type(row[i]) in (int, float, type(None)) for row in rows)
        for i in range(len(headings))
    ]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(texts, widths, numeric, strict=True)
        ]
        return _fit(indent + "  ".join(padded).rstrip())

    click.secho(line([text.upper() if capitals else text for text in headings]), bold=True)
    for row in cells:
        click.echo(line(row))


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def _fit(line: str) -> str:
    width = shutil.get_terminal_size().columns
    return f"{line[: width - 1]}…" if on_terminal() and len(line) > width else line


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print one name and value per line; further values of a list are indented below."""
    width = max(map(len, facts))
    for name, value in facts.items():
        lines = value if isinstance(value, list) else [value]
        for index, line in enumerate(lines):
            click.echo(f"{'' if index else name:<{width}}  {shown(line)}".rstrip())


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
