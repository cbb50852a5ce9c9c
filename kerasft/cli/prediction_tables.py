"""Rows of predictions as CSV, JSON Lines, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError

Rows = Sequence[Mapping[str, Any]]
_DECIMALS = 4  # of a probability
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def probabilities(row: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, float]:
    """Return the probability of every class in a row; none for a number."""
    return {name: row[f"p({name})"] for name in labels["names"] if f"p({name})" in row}


def significant(value: float, labels: Mapping[str, Any], *, steps: int) -> float:
    """Return a predicted number without digits that mean nothing.

    Args:
        value: Prediction, in the unit of the target.
        labels: Labels of the run, with the standard deviation of its training targets.
        steps: Steps per standard deviation, at least; for a target on a log scale, per value.

    Example:
        >>> significant(13412.3828, {"std": 5200.0}, steps=100)
        13410.0
    """
    spread = abs(value) if labels.get("transform") == "log" else float(labels.get("std", 1.0))
    if not spread or not math.isfinite(value):
        return value
    return round(value, -math.floor(math.log10(spread / steps)))


def rounded(rows: Rows, labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return rows of predictions with the digits that are worth reading.

    Probabilities and scores have four decimals, numbers at least a thousand steps per standard
    deviation of the training targets.

    Args:
        rows: Rows of `kerasft.predict`.
        labels: Labels of the run, as in its file.
    """
    names = {"probability", "known_score", *(f"p({name})" for name in labels["names"])}

    def value(name: str, cell: Any) -> Any:
        if name in names:
            return round(cell, _DECIMALS)
        is_number = name in ("prediction", "lower", "upper") and isinstance(cell, float)
        return significant(cell, labels, steps=1000) if is_number else cell

    return [{name: value(name, cell) for name, cell in row.items()} for row in rows]


def with_top_classes(rows: Rows, labels: Mapping[str, Any], top: int) -> list[dict[str, Any]]:
    """Return rows with the most probable classes instead of a column for every class.

    Args:
        rows: Rows of `kerasft.predict`.
        labels: Labels of the run, as in its file.
        top: Number of classes: the columns `top_1`, `p_1`, `top_2`, `p_2` and so on.
    """
    found = []
    for row in rows:
        each = probabilities(row, labels)
        classes = {f"p({name})" for name in each}
        others = {name: cell for name, cell in row.items() if name not in classes}
        ranked = sorted(each.items(), key=lambda item: -item[1])[:top]
        for place, (name, probability) in enumerate(ranked, start=1):
            others |= {f"top_{place}": name, f"p_{place}": probability}
        found.append(others)
    return found


def csv_text(rows: Rows) -> str:
    """Return rows as CSV with a header; empty without rows."""
    text = io.StringIO()
    if rows:
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def without_formulas(rows: Rows) -> list[dict[str, Any]]:
    """Return rows in which a spreadsheet finds no formulas: such texts begin with an apostrophe.

    A text is a formula if it begins with `=`, `+`, `-`, `@`, a tab or a carriage return, and is
    not a number (OWASP, CSV injection).
    """
    return [{_no_formula(name): _no_formula(cell) for name, cell in row.items()} for row in rows]


def _no_formula(cell: Any) -> Any:
    if not (isinstance(cell, str) and cell.startswith(_FORMULA)) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
