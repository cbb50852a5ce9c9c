"""Tables of examples, from files and in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.data.table_files import read_columns_of
from kerasft.errors import DataError
from kerasft.formatting import is_blank
from kerasft.in_memory import kept_columns, read_columns


@dataclass(frozen=True)
class Table:
    """A table in memory.

    Attributes:
        path: Path of the file; of a table in memory its name.
        columns: Values by column name, all of the same length; empty cells are None or "".
        num_rows: Number of rows.
        numbers: Numbers of the rows in the file, from 0; by default those of all rows.
    """

    path: Path
    columns: dict[str, list[Any]]
    num_rows: int
    numbers: Sequence[int] | None = None

    def select(self, rows: Sequence[int]) -> Table:
        """Return the table of some rows."""
        cells = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        return Table(self.path, cells, len(rows), [self._number(row) for row in rows])

    def _number(self, row: int) -> int:
        return row if self.numbers is None else self.numbers[row]

    def origin(self, row: int) -> str:
        """Return the name of a row for messages, counted from 1 without the header of a CSV."""
        return f"row {self._number(row) + 1} of {self.path.name}"

    def subject(self, row: int) -> str:
        """Return what a message calls a row at the beginning of a sentence."""
        return f"R{self.origin(row)[1:]}"

    def cell(self, column: str, row: int) -> Any:
        """Return a value, None for an empty cell; of a list what is not empty."""
        value = self.columns[column][row]
        if isinstance(value, list):
            return [part for part in value if not is_empty(part)]
        return None if is_empty(value) else value


def is_empty(value: Any) -> bool:
    """Return whether a cell is empty: None, NaN, or a text that `is_blank`."""
    if isinstance(value, str):
        return is_blank(value)
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_table(path: Path) -> Table:
    """Read a table, with the values of a CSV as text: `001` and `NA` are not converted.

    Args:
        path: Path of a .csv, .tsv, .jsonl, .ndjson, .json or .parquet file.

    Raises:
        DataError: The file is damaged, empty, or not UTF-8.
    """
    return next(_parts(path, None))


def read_table_parts(path: Path, rows: int) -> Iterator[Table]:
    """Yield the parts of a table that need not fit into memory; see `read_table`.

    Args:
        path: Path of the file; a .json file with a list is parsed as a whole.
        rows: Number of rows of a part, at most.

    Raises:
        DataError: The file is damaged, empty, or not UTF-8; parts before the damage are yielded.
    """
    return _parts(path, rows)


def _parts(path: Path, rows: int | None) -> Iterator[Table]:
    first_row = 0
    for columns in read_columns_of(path, rows):
        num_rows = len(next(iter(columns.values()), []))
        if num_rows:
            yield Table(path, columns, num_rows, range(first_row, first_row + num_rows))
        first_row += num_rows
    if not first_row:
        raise DataError(f"{path} has no rows. Give a table with at least one.")


def memory_table(source: Any) -> Table:
    """Return a table in memory, or one that was kept there under the name `source`.

    Raises:
        DataError: This process was not given the table, or it is not a table.
    """
    if isinstance(source, str):
        name, columns = source, kept_columns(source)
    else:
        name, columns = "the table", read_columns(source)
    return Table(Path(name), columns, len(next(iter(columns.values()))))
