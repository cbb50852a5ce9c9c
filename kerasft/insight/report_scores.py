"""Scores in the report of a run: by split, by class, confusions, charts of the outputs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kerasft.formatting import number, percent
from kerasft.insight import charts
from kerasft.insight.facts import Facts
from kerasft.insight.page import chart, table
from kerasft.insight.report_calibration import calibration_chart
from kerasft.runs import Run, read_json

_PAIRS = 10
_CLASSES = 60  # rows of the table by class
_WIDEST = 40  # classes of a matrix that a person can read
_SIZE = (5.0, 3.4)  # of a chart of the predictions, in inches


def scores(facts: Facts) -> dict[str, Any]:
    """Return the table of metrics by split."""
    splits = [split for split in ("validation", "test") if split in facts.metrics]
    rows = [
        [facts.kind.metric_title(name), *(facts.metrics[split].get(name) for split in splits)]
        for name in facts.kind.report_metrics
        if any(name in facts.metrics[split] for split in splits)
    ]
    return table(["metric", *splits], rows)


def classes(facts: Facts) -> list[dict[str, Any]]:
    """Return the scores of every class, the lowest F1 first."""
    rows = facts.metrics.get(facts.reported_split, {}).get("per_class", [])
    counts = facts.class_counts
    ordered = sorted(rows, key=lambda row: row["f1"])
    return [{**row, "training": counts.get(row["name"])} for row in ordered[:_CLASSES]]


def confusions(run: Run, facts: Facts) -> dict[str, Any] | None:
    """Return the confusion matrix, the most frequent confusions, and examples of its cells.

    A cell with examples has an `anchor`: the identifier of the part of the page that shows them.
    """
    split = facts.reported_split
    found = facts.metrics.get(split, {})
    counts = found.get("confusion_matrix")
    if not counts:
        return None
    names = [row["name"] for row in found["per_class"]]
    cells = _cells(run, split, counts, names)
    anchors = {(cell["row"], cell["column"]): cell["anchor"] for cell in cells}
    confused = _confused(counts, names, anchors)
    first = next((pair["anchor"] for pair in confused if pair["anchor"]), "")
    rows = _rows(counts, names, anchors) if len(names) <= _WIDEST else []
    return {"split": split, "names": names, "rows": rows, "cells": cells, "confused": confused,
            "first": first or (cells[0]["anchor"] if cells else "")}  # fmt: skip


def _cells(run: Run, split: str, counts: list[list[int]], names: list[str]) -> list[dict[str, Any]]:
    """Return the cells whose examples the run recorded."""
    path = run.record_file("confusions.json")
    recorded = read_json(path) if path.exists() else {}
    return [
        {
            "anchor": f"cell-{cell['truth']}-{cell['predicted']}",
            "row": cell["truth"],
            "column": cell["predicted"],
            "truth": names[cell["truth"]],
            "predicted": names[cell["predicted"]],
            "count": counts[cell["truth"]][cell["predicted"]],
            "shown": len(cell["examples"]),
            "examples": [_example(row) for row in cell["examples"]],
        }
        for cell in (recorded["cells"] if recorded.get("split") == split else [])
    ]


def _example(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "origin": row["origin"],
        "picture": row.get("picture"),
        "text": row.get("text"),
        "caption": [f"probability {percent(row['probability'])}"],
    }


def _rows(
    counts: list[list[int]], names: list[str], anchors: dict[tuple[int, int], str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": names[i],
            "cells": [
                {
                    "count": count or "",
                    "predicted": names[j],
                    "kind": "" if not count else "right" if i == j else "wrong",
                    "share": f"{count / max(sum(row), 1):.3f}",
                    "anchor": anchors.get((i, j), ""),
                }
                for j, count in enumerate(row)
            ],
        }
        for i, row in enumerate(counts)
    ]


def _confused(
    counts: list[list[int]], names: list[str], anchors: dict[tuple[int, int], str]
) -> list[dict[str, Any]]:
    """Return the most frequent pairs of a true and another predicted class."""
    pairs: list[dict[str, Any]] = [
        {
            "truth": names[i],
            "predicted": names[j],
            "count": count,
            "anchor": anchors.get((i, j), ""),
        }
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if count and i != j
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:_PAIRS]


def output_charts(run: Run, facts: Facts, arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the charts of the predictions that the task asks for."""
    split = facts.reported_split
    if f"y_{split}" not in arrays:
        return []
    outputs, y = arrays[f"outputs_{split}"], arrays[f"y_{split}"]
    return [
        calibration_chart(run, outputs, y, _SIZE)
        if name == "calibration"
        else _CHARTS[name](outputs, y, run.labels.get("unit", ""))
        for name in facts.kind.charts
    ]


def _predicted_chart(outputs: np.ndarray, y: np.ndarray, unit: str) -> dict[str, Any]:
    draw = functools.partial(charts.draw_predicted, predicted=outputs[:, 0], y=y, unit=unit)
    note = "on the dotted line, a prediction is correct"
    return chart("predicted vs true", charts.as_svg("predicted vs true", draw, *_SIZE), note)


def _residuals_chart(outputs: np.ndarray, y: np.ndarray, unit: str) -> dict[str, Any]:
    draw = functools.partial(charts.draw_residuals, predicted=outputs[:, 0], y=y, unit=unit)
    middle = float(np.median(np.abs(outputs[:, 0] - y)))
    note = f"half of the predictions are within {number(middle)} {unit}".rstrip()
    return chart("residuals", charts.as_svg("residuals", draw, *_SIZE), note)


_CHARTS = {"predicted": _predicted_chart, "residuals": _residuals_chart}
