"""Predictions as lines for people: `circle  55 %  (square 25 %, ring 12 %)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kerasft.cli.prediction_tables import Rows, probabilities, significant
from kerasft.formatting import number, percent

_LEAST = 0.005  # a probability that is shown as 0 % is left out
_NARROWEST = 8


def prediction_lines(rows: Rows, labels: Mapping[str, Any], *, top: int, width: int) -> list[str]:
    """Return one line per input: the input, the prediction, and the classes that come next.

    Args:
        rows: Rows of `kerasft.predict`.
        labels: Labels of the run, as in its file.
        top: Number of classes in a line, at most.
        width: Columns of the terminal; inputs take at most half of them.
    """
    predictions = [_prediction(row, labels, top) for row in rows]
    if len(rows) == 1:
        return predictions
    inputs = [_one_line(str(row["input"])) for row in rows]
    inputs_width = max(min(max(map(len, inputs), default=0), width // 2), _NARROWEST)
    return [
        f"{_cut(text, inputs_width):<{inputs_width}}  {prediction}"
        for text, prediction in zip(inputs, predictions, strict=True)
    ]


def _prediction(row: Mapping[str, Any], labels: Mapping[str, Any], top: int) -> str:
    """Return the prediction of one row: a class, several labels, or a number."""
    each = probabilities(row, labels)
    remarks = "" if row.get("known", True) else "  unlike the training data"
    if not each:
        shown = number(significant(row["prediction"], labels, steps=100))
        shown += f" {row['unit']}" if "unit" in row else ""
        if "lower" in row:
            ends = (number(significant(row[n], labels, steps=100)) for n in ("lower", "upper"))
            shown += f"  ({' to '.join(ends)})"
        return shown + remarks
    ranked = sorted(each.items(), key=lambda item: -item[1])
    if "probability" in row:
        chosen = {row["prediction"]: each[row["prediction"]]}
        shown = f"{row['prediction']}  {percent(row['probability'])}"
        remarks += "" if row.get("accepted", True) else "  not accepted"
    else:
        chosen = {name: p for name, p in ranked if name in row["prediction"].split("|")}
        shown = _listed(chosen.items()) or "(no label)"
    others = [(name, p) for name, p in ranked if name not in chosen and p >= _LEAST]
    others = others[: max(top - len(chosen), 0)]
    return (f"{shown}  ({_listed(others)})" if others else shown) + remarks


def _listed(pairs: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {percent(p)}" for name, p in pairs)


def _one_line(text: str) -> str:
    return " ".join(text.replace("\t", " | ").split())


def _cut(text: str, width: int) -> str:
    """Return a text cut to a width; the end of a path remains."""
    if len(text) <= width:
        return text
    path = "/" in text and " " not in text
    return f"…{text[1 - width :]}" if path else f"{text[: width - 1]}…"
