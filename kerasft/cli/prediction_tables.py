"""Rows of predictions as CSV, JSON Lines, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError

Rows = Sequence[Mapping[str, Any]]


def csv_text(rows: Rows) -> str:
    """Return rows as CSV with a header; empty without rows."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _write_text(path: Path, text: str) -> None:
    # Bytes of file names that are not UTF-8 are written as escapes.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _write_csv(path: Path, rows: Rows) -> None:
    _write_text(path, csv_text(rows))


def _write_jsonl(path: Path, rows: Rows) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    _write_text(path, "".join(lines))


def _write_json(path: Path, rows: Rows) -> None:
    _write_text(path, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, rows: Rows) -> None:
    import pandas

    pandas.DataFrame(list(rows)).to_parquet(path, index=False)


_WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".json": _write_json,
    ".parquet": _write_parquet,
}


def check_table_path(path: Path) -> None:
    """Raise SettingError when a table cannot be written to `path`, before computing predictions."""
    if path.suffix.lower() not in _WRITERS:
        raise SettingError(f"--output must end in {', '.join(_WRITERS)}. Received: {path}.")
    if not path.parent.is_dir():
        raise SettingError(f"Folder {path.parent} of --output {path} not found. Create it first.")


def write_table(path: Path, rows: Rows) -> None:
    """Write rows atomically in the format of the file's extension.

    Raises:
        SettingError: The extension is unknown.
        ResourceError: The disk is full.
    """
    from kerasft.runs import atomic_path

    check_table_path(path)
    with atomic_path(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, rows)
