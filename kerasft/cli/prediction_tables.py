"""Rows of predictions as people and spreadsheets read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

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
