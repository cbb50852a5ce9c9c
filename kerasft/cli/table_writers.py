"""Write rows of predictions as they come: CSV, JSON Lines, JSON or Parquet."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from kerasft.cli.parquet_table import ParquetTable
from kerasft.cli.prediction_tables import Rows
from kerasft.errors import DataError, SettingError

Write = Callable[[Rows], None]
WriteTo = Callable[[TextIO], contextlib.AbstractContextManager[Write]]


@contextlib.contextmanager
def csv_rows(file: TextIO) -> Iterator[Write]:
    """Give a function that writes rows as CSV; the header has the columns of its first call."""
    writer: csv.DictWriter[str] | None = None

    def write(rows: Rows) -> None:
        nonlocal writer
        if writer is None:
            writer = csv.DictWriter(file, _columns(rows), lineterminator="\n")
            writer.writeheader()
        _check_columns(rows, writer.fieldnames)
        writer.writerows(rows)

    yield write


@contextlib.contextmanager
def json_lines(file: TextIO) -> Iterator[Write]:
    """Give a function that writes rows as JSON Lines."""

    def write(rows: Rows) -> None:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    yield write


@contextlib.contextmanager
def json_list(file: TextIO) -> Iterator[Write]:
    """Give a function that writes rows as one JSON list, which is closed at the end."""
    begin = "["

    def write(rows: Rows) -> None:
        nonlocal begin
        for row in rows:
            text = json.dumps(row, indent=2, ensure_ascii=False).replace("\n", "\n  ")
            file.write(f"{begin}\n  {text}")
            begin = ","

    yield write
    file.write("[]\n" if begin == "[" else "\n]\n")


@contextlib.contextmanager
def parquet_rows(path: Path) -> Iterator[Write]:
    """Give a function that writes rows as Parquet; it has the columns of its first call."""
    table = ParquetTable(path)

    def write(rows: Rows) -> None:
        names = table.names or _columns(rows)
        _check_columns(rows, names)
        table.write({name: [row.get(name) for row in rows] for name in names})

    with contextlib.closing(table):
        yield write


def _columns(rows: Rows) -> list[str]:
    """Return the columns of all rows, in the order of their first occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _check_columns(rows: Rows, columns: Iterable[str]) -> None:
    """Refuse rows with a column that the rows before them do not have."""
    new = sorted({name for row in rows for name in row} - set(columns))
    if new:
        raise DataError(
            f"The inputs have the column {new[0]!r}, which those before them do not have. Write a "
            ".jsonl file, or predict them separately."
        )


_WRITERS: Mapping[str, WriteTo] = {".csv": csv_rows, ".jsonl": json_lines, ".json": json_list}
_ENDINGS = (*_WRITERS, ".parquet")


def check_table_path(path: Path) -> None:
    """Raise SettingError when a table cannot be written to `path`, before computing predictions."""
    if path.suffix.lower() not in _ENDINGS:
        raise SettingError(f"--output must end in {', '.join(_ENDINGS)}. Received: {path}.")
    if not path.parent.is_dir():
        raise SettingError(f"Folder {path.parent} of --output {path} not found. Create it first.")


@contextlib.contextmanager
def table_file(path: Path) -> Iterator[Write]:
    """Give a function that writes rows to a file, which appears at the end.

    Raises:
        ResourceError: The disk is full.
    """
    from kerasft.runs import atomic_path

    ending = path.suffix.lower()
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(path))
        if ending == ".parquet":
            yield stack.enter_context(parquet_rows(temporary))
            return
        # Bytes of file names that are not UTF-8 are written as escapes.
        file = stack.enter_context(
            open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="")
        )
        yield stack.enter_context(_WRITERS[ending](file))
