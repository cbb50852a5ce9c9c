"""Parsing of the cells in label columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from kerasft.errors import DataError, SettingError, read_all
from kerasft.tasks.labels import class_name

_LARGEST = 1e18  # of a target: the square of a larger one is infinite in float32


class Table(Protocol):
    """Interface of `kerasft.data.tables.Table` that tasks need."""

    @property
    def path(self) -> Any:
        """Path of the file."""

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Values of each column, by its name."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""

    def cell(self, column: str, row: int) -> Any:
        """Return a value, None for an empty cell; empty elements of a list are dropped."""

    def subject(self, row: int) -> str:
        """Return the name of a row at the beginning of a sentence."""


def one_column(table: Table, columns: Sequence[str], separator: str | None, task: str) -> list[Any]:
    """Return the cells of the only label column, none of which may be empty.

    Raises:
        SettingError: Several columns or a separator are set, which only task=multilabel reads.
        DataError: A cell is empty.
    """
    if len(columns) > 1 or separator:
        raise SettingError(f"Several labels per row need --task multilabel. Received: task={task}.")
    return read_all(lambda row: _filled(table, columns[0], row), range(table.num_rows))


def _filled(table: Table, column: str, row: int) -> Any:
    value = table.cell(column, row)
    if value is None:
        raise DataError(
            f"{table.subject(row)} has no label in column {column!r}: fill it in or delete the row."
        )
    return value


def read_class(table: Table, column: str, row: int, value: Any) -> str:
    """Return the class name in a cell."""
    if isinstance(value, (list, dict)):
        raise DataError(
            f"{table.subject(row)} has several labels in column {column!r} ({value!r:.60}). Name "
            "another column with --label-column, or fit with --task multilabel."
        )
    return class_name(value)


def read_number(table: Table, column: str, row: int, value: Any) -> float:
    """Return the number in a cell."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # the last of a whole number above 1e308
        number = math.nan
    if isinstance(value, bool) or not abs(number) < _LARGEST:
        raise DataError(
            f"{table.subject(row)} has {value!r:.60} in column {column!r}, which must be a number "
            f"below {_LARGEST:g}. "
            "Correct it, name another column with --label-column, or fit with --task "
            "classification."
        )
    return number


def read_flags(table: Table, columns: Sequence[str], row: int) -> tuple[str, ...]:
    """Return the names of the columns of 0 and 1 that are 1 in a row."""

    def flag(column: str) -> bool:
        value = table.columns[column][row]
        text = str(value).strip().lower()
        if text not in ("0", "1", "0.0", "1.0", "false", "true"):
            raise DataError(
                f"{table.subject(row)} must have 0 or 1 in the label column {column!r}. "
                f"Received: {value!r:.60}."
            )
        return text in ("1", "1.0", "true")

    return tuple(sorted(column for column in columns if flag(column)))


def read_several(table: Table, column: str, row: int, separator: str | None) -> tuple[str, ...]:
    """Return the labels of one cell, from a list or separated text."""
    value = table.cell(column, row)
    if isinstance(value, list):
        return tuple(sorted({class_name(part) for part in value}))
    if separator is None:
        raise SettingError(
            f"task=multilabel needs a separator for the labels in column {column!r} of "
            f"{table.path}. Set `label_separator`, or name several columns of 0 and 1 as "
            "`label_column`."
        )
    return split_labels("" if value is None else str(value), separator)


def split_labels(text: str, separator: str) -> tuple[str, ...]:
    """Return the unique labels of a separated text, sorted."""
    return tuple(sorted({part.strip() for part in text.split(separator) if part.strip()}))
