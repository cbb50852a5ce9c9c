"""The calibration in the report of a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.calibration.reliability import calibration_error, reliability
from kerasft.calibration.summary import calibration_lines
from kerasft.calibration.temperature import at_temperature
from kerasft.formatting import number
from kerasft.insight import charts
from kerasft.insight.facts import Facts
from kerasft.insight.page import chart, table
from kerasft.runs import Run


def decisions(run: Run, facts: Facts) -> dict[str, Any] | None:
    """Return what was fitted on validation, its scores on test, and notes; None without it."""
    record = run.calibration
    if not record:
        return None
    measured = facts.metrics.get("test", {}).get("calibrated", {})
    rows = [(facts.kind.metric_title(name).replace("_", " "), measured[name]) for name in measured]
    return {
        "examples": record["examples"],
        "fitted": table(("fitted on validation", "value"), calibration_lines(record)),
        "measured": table(("calibrated answers", "test"), rows),
        "notes": record["notes"],
    }


def calibration_chart(
    run: Run, outputs: np.ndarray, y: np.ndarray, size: tuple[float, float]
) -> dict[str, Any]:
    """Return the chart of accuracy by predicted probability, before and after calibration.

    Args:
        run: Run.
        outputs: Outputs of the model, shape (n, classes).
        y: Class indices, shape (n,).
        size: Width and height in inches.
    """
    temperature = run.calibration.get("calibration", {}).get("temperature", 1.0)
    shown = {"outputs": outputs}
    if temperature != 1:
        shown["calibrated"] = at_temperature(outputs, temperature)
    points = {
        name: reliability(values.max(axis=1), values.argmax(axis=1) == y)
        for name, values in shown.items()
    }
    svg = charts.as_svg("calibration", lambda axes: charts.draw_calibration(axes, points), *size)
    errors = " and ".join(f"{number(calibration_error(each))} ({name})"
                          for name, each in points.items())  # fmt: skip
    note = f"expected calibration error {errors}: the mean distance of confidence from accuracy"
    return chart("calibration", svg, note)
