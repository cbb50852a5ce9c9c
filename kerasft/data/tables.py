"""Tables: CSV, TSV, JSON Lines and Parquet, read without type inference, and those in memory."""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        first_row: Number of rows of the file before the first one.
    """

    path: Path
    columns: dict[str, list[Any]]
    num_rows: int
    first_row: int = 0

    def row(self, index: int) -> Table:
        """Return the table of one row."""
        cells = {name: values[index : index + 1] for name, values in self.columns.items()}
        return Table(self.path, cells, 1, self.first_row + index)

    def origin(self, row: int) -> str:
        """Return the name of a row for messages, counted from 1 without the header of a CSV."""
        return f"row {self.first_row + row + 1} of {self.path.name}"

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
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise DataError(f"{path} is not a regular file. Write the table to a file first.")
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    try:
        columns = readers.get(path.suffix.lower(), _read_json)(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at position "
            f"{error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    num_rows = len(next(iter(columns.values()), []))
    if not num_rows:
        raise DataError(f"{path} has no rows. Give a table with at least one.")
    return Table(path, columns, num_rows)


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


def _read_csv(path: Path) -> dict[str, list[Any]]:
    import pandas as pd

    separator = _separator(path)
    _check_header(path, separator)
    try:
        with warnings.catch_warnings():
            # pandas only warns when it truncates rows that are longer than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=separator,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                encoding="utf-8-sig",
            )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty. Give a table with a header and rows.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{path} is not a valid table: {reason.rstrip('.')}. Put texts with commas, quotes or "
            "line breaks in double quotes."
        ) from error
    # Missing cells of short rows are NaN despite keep_default_na=False.
    frame = frame.astype(object).where(frame.notna(), "")
    return {str(name).strip(): frame[name].tolist() for name in frame.columns}


def _check_header(path: Path, separator: str) -> None:
    """Refuse a header with a name that occurs twice, which pandas would change."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            header = next((row for row in csv.reader(file, delimiter=separator) if row), [])
        except csv.Error as error:
            raise DataError(
                f"The header of {path} is not valid: {error}. Close its double quotes."
            ) from error
    _check_unique(path, [name.strip() for name in header if name.strip()])


def _check_unique(path: Path, names: Sequence[str]) -> None:
    """Raise DataError for the names of columns that occur twice."""
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        shown = ", ".join(repr(name) for name in double)
        raise DataError(f"{path} has several columns of one name: {shown}. Rename them.")


def _separator(path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    # In many locales, spreadsheets separate the columns of a .csv file with semicolons.
    return next((mark for mark in ";\t" if mark in header and "," not in header), ",")


def _read_json(path: Path) -> dict[str, list[Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        rows = list(enumerate(_parse(text, f"{path}"), start=1))
    else:
        # Not splitlines(): JSON strings may contain other Unicode line separators.
        lines = enumerate(text.split("\n"), start=1)
        rows = [(n, _parse(line, f"Line {n} of {path}")) for n, line in lines if line.strip()]
    names: dict[str, None] = {}
    for number, row in rows:
        if not isinstance(row, dict):
            raise DataError(
                f"Line {number} of {path} must be a JSON object. Received: {row!r:.80}."
            )
        names.update(dict.fromkeys(row))
    return {name: [row.get(name) for _, row in rows] for name in names}


def _parse(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not valid JSON: {error}.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a name that occurs twice in it is refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(name for name, count in Counter(n for n, _ in pairs).items() if count > 1)
        raise ValueError(f"{double!r} occurs twice in one object")
    return found


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_unique(path, pq.read_schema(path).names)
        table = pq.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}.") from error
    columns: dict[str, list[Any]] = table.to_pydict()
    for name, classes in _class_names(table.schema.metadata or {}).items():
        if name in columns:
            columns[name] = [
                classes[value] if isinstance(value, int) and 0 <= value < len(classes) else value
                for value in columns[name]
            ]
    return columns


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Return the class names of label columns that Hugging Face stores as integers."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("names")
    }
