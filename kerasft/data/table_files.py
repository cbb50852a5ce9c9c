"""Readers of table files: CSV, TSV, JSON Lines and Parquet, without type inference."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import DataError
from kerasft.in_memory import Columns

_BUFFER = 1 << 20  # bytes of a column of Parquet that are read at once


def read_columns_of(path: Path, rows: int | None = None) -> Iterator[Columns]:
    """Yield the cells of a table by column, part by part.

    Args:
        path: Path of a .csv, .tsv, .jsonl, .ndjson, .json or .parquet file.
        rows: Number of rows of a part, at most; None for one part.

    Raises:
        DataError: The file is damaged or not UTF-8.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise DataError(f"{path} is not a regular file. Write the table to a file first.")
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    try:
        yield from readers.get(path.suffix.lower(), _read_json)(path, rows)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at position "
            f"{error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def count_rows(path: Path) -> int | None:
    """Count the rows of a table without keeping them; None for a .json file or a damaged one."""
    kind = path.suffix.lower()
    try:
        if kind == ".json":  # a list, or lines
            return None
        if kind == ".parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        with path.open(encoding="utf-8-sig", newline="") as file:
            if kind in (".csv", ".tsv"):
                return sum(1 for row in csv.reader(file, delimiter=_separator(path)) if row) - 1
            return sum(1 for line in file if line.strip())
    except (OSError, ValueError, csv.Error):  # the reader of the cells says what is wrong
        return None


def _read_csv(path: Path, rows: int | None) -> Iterator[Columns]:
    for frame in _csv_frames(path, rows):
        # Missing cells of short rows are NaN despite keep_default_na=False.
        cells = frame.astype(object).where(frame.notna(), "")
        yield {str(name).strip(): cells[name].tolist() for name in cells.columns}


def _csv_frames(path: Path, rows: int | None) -> Iterator[Any]:
    import pandas as pd

    separator = _separator(path)
    _check_header(path, separator)
    try:
        with pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            index_col=False,
            encoding="utf-8-sig",
            iterator=True,
        ) as reader:
            while True:
                with warnings.catch_warnings():
                    # pandas only warns when it truncates rows that are longer than the header.
                    warnings.simplefilter("error", pd.errors.ParserWarning)
                    frame = reader.read(rows)
                yield frame
    except StopIteration:  # of the reader
        return
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty. Give a table with a header and rows.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{path} is not a valid table: {reason.rstrip('.')}. Put texts with commas, quotes or "
            "line breaks in double quotes."
        ) from error


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


def _read_json(path: Path, rows: int | None) -> Iterator[Columns]:
    objects: Iterable[dict[str, Any]] = _json_objects(path)
    if rows is None or _is_list(path):  # a list can only be parsed as a whole
        objects = list(objects)
        names = _names(objects)
    else:
        names = _names(_json_objects(path))
    left = iter(objects)
    while part := list(itertools.islice(left, rows)):
        yield _by_name(part, names)


def _names(objects: Iterable[Mapping[str, Any]]) -> dict[str, None]:
    """Return the names in all objects before a damage, in the order of their first occurrence."""
    names: dict[str, None] = {}
    with contextlib.suppress(DataError, UnicodeDecodeError):  # raised when its row is read
        for each in objects:
            names.update(dict.fromkeys(each))
    return names


def _by_name(objects: Sequence[Mapping[str, Any]], names: Iterable[str]) -> Columns:
    return {name: [each.get(name) for each in objects] for name in names}


def _is_list(path: Path) -> bool:
    """Return whether a file is one JSON list, not one object per line."""
    with path.open(encoding="utf-8-sig") as file:
        marks = iter(lambda: file.read(1), "")
        return next((mark for mark in marks if not mark.isspace()), "") == "["


def _json_objects(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that is a list of objects, or has one per line."""
    # Not universal line breaks: JSON strings may contain others of Unicode.
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        if _is_list(path):
            rows: Iterable[tuple[int, Any]] = enumerate(_parse(file.read(), f"{path}"), start=1)
        else:
            lines = ((n, line) for n, line in enumerate(file, start=1) if line.strip())
            rows = ((n, _parse(line, f"Line {n} of {path}")) for n, line in lines)
        for number, row in rows:
            if not isinstance(row, dict):
                raise DataError(
                    f"Line {number} of {path} must be a JSON object. Received: {row!r:.80}."
                )
            yield row


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


def _read_parquet(path: Path, rows: int | None) -> Iterator[Columns]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER if rows else 0) as file:
            schema = file.schema_arrow
            _check_unique(path, schema.names)
            classes = _class_names(schema.metadata or {})
            for part in file.iter_batches(rows) if rows else [file.read()]:
                yield _named_classes(part.to_pydict(), classes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}.") from error


def _named_classes(columns: Columns, classes: dict[str, list[str]]) -> Columns:
    """Return columns with the names of classes in place of their numbers."""
    for name in columns.keys() & classes.keys():
        names = classes[name]
        columns[name] = [
            names[value] if isinstance(value, int) and 0 <= value < len(names) else value
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
