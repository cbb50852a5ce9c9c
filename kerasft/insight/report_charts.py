"""Charts in the HTML report of a run."""

from __future__ import annotations

import functools

import numpy as np

from kerasft.insight import charts
from kerasft.insight.facts import Facts
from kerasft.insight.page import figure, paragraph, table

_PAIRS = 10  # pairs of confused classes in the table


def curve_charts(facts: Facts, monitor: str) -> str:
    """Return the curves of a run by epoch.

    Args:
        facts: Facts about the run.
        monitor: Metric that selected the best epoch.
    """
    if not facts.rows:
        return ""
    names = [name for name in facts.kind.curves if name in facts.rows[0]]
    if any(row.get("penalty") for row in facts.rows):
        names.insert(1, "penalty")
    drawn = "".join(
        figure(
            charts.as_svg(
                f"{name} by epoch",
                functools.partial(
                    charts.draw_curve, history=facts.rows, name=name, best=facts.best_epoch
                ),
            )
        )
        for name in names
    )
    dotted = " Dotted: start of the main phase." if facts.head else ""
    best = f" Best epoch: {facts.best_epoch} ({monitor})."
    return f"<div class=charts>{drawn}</div>" + paragraph(
        (best if facts.best_epoch else "") + dotted, "soft"
    )


def confusion_chart(matrix: list[list[int]], names: list[str]) -> str:
    """Return a confusion matrix as a chart, and its most confused classes as a table."""
    side = min(2.2 + 0.33 * len(names), 8.5)
    drawn = charts.as_svg(
        "confusion matrix",
        lambda axes: charts.draw_confusion(axes, matrix, names),
        side + 0.6,
        side,
    )
    return figure(drawn) + _confused(matrix, names)


def _confused(matrix: list[list[int]], names: list[str]) -> str:
    pairs = [
        (count, names[row], names[column])
        for row, values in enumerate(matrix)
        for column, count in enumerate(values)
        if count and row != column
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = [(truth, predicted, count) for count, truth, predicted in pairs[:_PAIRS]]
    return (
        paragraph("Most confused:") + table(("truth", "predicted", "count"), rows) if rows else ""
    )


def prediction_charts(facts: Facts, arrays: dict[str, np.ndarray]) -> str:
    """Return the charts of the predictions of a task, on the test split if there is one."""
    split = "test" if "y_test" in arrays else "validation"
    if f"y_{split}" not in arrays:
        return ""
    outputs, y = arrays[f"outputs_{split}"], arrays[f"y_{split}"]
    drawn = "".join(_CHARTS[name](outputs, y) for name in facts.kind.charts)
    return f"<div class=charts>{drawn}</div>" if drawn else ""


def _predicted_chart(outputs: np.ndarray, y: np.ndarray) -> str:
    draw = functools.partial(charts.draw_predicted, predicted=outputs[:, 0], y=y)
    return figure(charts.as_svg("predicted vs true", draw))


def _residuals_chart(outputs: np.ndarray, y: np.ndarray) -> str:
    draw = functools.partial(charts.draw_residuals, predicted=outputs[:, 0], y=y)
    return figure(charts.as_svg("residuals", draw))


def _calibration_chart(outputs: np.ndarray, y: np.ndarray) -> str:
    points = charts.calibration(outputs, y)
    caption = (
        f"Expected calibration error {charts.calibration_error(points):.3f}: the mean distance of "
        "confidence from accuracy."
    )
    chart = charts.as_svg("calibration", lambda axes: charts.draw_calibration(axes, points))
    return figure(chart, caption)


_CHARTS = {
    "predicted": _predicted_chart,
    "residuals": _residuals_chart,
    "calibration": _calibration_chart,
}
