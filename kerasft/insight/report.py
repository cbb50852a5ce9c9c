"""The HTML report of a run: scores, diagnosis, curves, data and settings."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.formatting import number, setting_text, shown
from kerasft.insight import charts
from kerasft.insight.diagnosis import diagnose
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.intervals import score_interval
from kerasft.insight.page import escape, figure, folded, page, paragraph, section, table
from kerasft.runs import Run, load_run, write_text

_PAIRS = 10


def write_report(run: Run | str | Path, path: str | Path | None = None) -> Path:
    """Write the report of a run as one self-contained HTML file.

    Args:
        run: Any run, finished or not, or its folder or name as in `load_run`; missing parts are
            left out.
        path: File to write; `report.html` in the run by default.

    Returns:
        Path of the file.

    Raises:
        SettingError: The run was not found.
        DamagedFileError: A file of the run is missing or damaged.
        ResourceError: The disk is full.

    Example:
        >>> kerasft.write_report("latest")
    """
    run = load_run(run)
    facts = read_facts(run)
    path = run.path / "report.html" if path is None else Path(path)
    arrays = _arrays(run)
    parts = [
        _headline(run, facts, arrays),
        section("What to change next", _diagnosis(run)),
        section("Curves", _curves(run, facts)),
        section("Scores", _scores(facts), _classes(facts), _outputs(facts, arrays)),
        section("Validation examples with the highest loss", _worst(run)),
        section("Model", _blocks(run), _speed(run)),
        section("Data", _data(run)),
        section("Settings", _settings(run, facts)),
    ]
    write_text(path, page(f"{run.recipe}/{run.name}", parts))
    return path


def _arrays(run: Run) -> dict[str, np.ndarray]:
    path = run.path / "predictions.npz"
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _headline(run: Run, facts: Facts, arrays: dict[str, np.ndarray]) -> str:
    name, _ = facts.score
    manifest = run.manifest
    text = f"<p class=soft>{escape(run.recipe)} on {escape(facts.settings.get('dataset', ''))}</p>"
    text += f"<h1>{escape(run.recipe)}/{escape(run.name)}</h1>"
    split = "test" if "test" in facts.metrics else "validation"
    value = facts.metrics.get(split, {}).get(name)
    if value is None:
        reason = f": {facts.reason}" if facts.reason else ""
        return text + paragraph(f"State of this fit: {facts.state}{reason}")
    count = facts.metrics[split].get("examples", facts.counts.get(split, 0))
    created = str(manifest.get("created", ""))[:16].replace("T", " ")
    text += f"<p class=headline>{escape(name)} {escape(value)}</p>"
    return text + paragraph(
        f"on {count:,} {split} examples{_interval(facts, arrays, split)}; "
        f"{manifest.get('seconds') or 0:,.0f} s, {created} UTC",
        "soft",
    )


def _interval(facts: Facts, arrays: dict[str, np.ndarray], split: str) -> str:
    """Return the 95 % confidence interval of the score as text."""
    found = score_interval(facts, arrays, split)
    if found is None:
        return ""
    return f"; 95 % confidence interval {number(found[0])} to {number(found[1])}"


def _diagnosis(run: Run) -> str:
    found = diagnose(run)
    text = ""
    if found["healthy"]:
        text = "<div class='finding well'><p>No problems found.</p></div>"
    for finding in found["findings"]:
        kind = "" if finding["fault"] else " note"
        text += f"<div class='finding{kind}'><p><b>{escape(finding['title'])}</b></p>"
        text += paragraph(finding["evidence"])
        for advice in finding["advice"]:
            what = ", ".join(f"{k} {setting_text(v)}" for k, v in advice["changes"].items())
            text += paragraph(f"{what}: {advice['why']}" if what else advice["why"])
            if advice["command"]:
                text += f"<pre>{escape(advice['command'])}</pre>"
        text += "</div>"
    return text


def _curves(run: Run, facts: Facts) -> str:
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
    best = f" Best epoch: {facts.best_epoch} ({run.manifest.get('monitor')})."
    return f"<div class=charts>{drawn}</div>" + paragraph(
        (best if facts.best_epoch else "") + dotted, "soft"
    )


def _scores(facts: Facts) -> str:
    splits = [split for split in ("validation", "test") if split in facts.metrics]
    rows = [
        [name, *(facts.metrics[split].get(name) for split in splits)]
        for name in facts.kind.report_metrics
        if any(name in facts.metrics[split] for split in splits)
    ]
    return table(["", *splits], rows)


def _classes(facts: Facts) -> str:
    found = facts.metrics.get("test") or facts.metrics.get("validation") or {}
    rows = found.get("per_class", [])
    if not rows:
        return ""
    counts = facts.class_counts
    columns = ("precision", "recall", "f1")
    cells = [[r["name"], *(r[c] for c in columns), r["support"], counts.get(r["name"])]
             for r in sorted(rows, key=lambda r: r["f1"])]  # fmt: skip
    text = paragraph("By class, lowest F1 first:")
    text += table(["class", *columns, "examples", "in training"], cells[:40])
    matrix = found.get("confusion_matrix")
    if matrix:
        names = [row["name"] for row in rows]
        side = min(2.2 + 0.33 * len(names), 8.5)
        drawn = charts.as_svg(
            "confusion matrix",
            lambda axes: charts.draw_confusion(axes, matrix, names),
            side + 0.6,
            side,
        )
        text += figure(drawn) + _confused(matrix, names)
    return text


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


def _outputs(facts: Facts, arrays: dict[str, np.ndarray]) -> str:
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


def _worst(run: Run) -> str:
    from kerasft.runs import read_json

    path = run.path / "worst.json"
    rows = read_json(path) if path.exists() else []
    cards = []
    for row in rows:
        confidence = "" if row["probability"] is None else f" ({row['probability']:.0%})"
        content = (
            f"<img alt='{escape(row['origin'])}' src='data:image/png;base64,{row['picture']}'>"
            if "picture" in row
            else paragraph(row.get("text", ""))
        )
        text = f"truth {shown(row['truth'])}, predicted {shown(row['prediction'])}{confidence}"
        cards.append(
            f"<div class=card>{content}{paragraph(text)}"
            f"{paragraph(row['origin'] + ', loss ' + shown(row['loss']), 'soft')}</div>"
        )
    return f"<div class=cards>{''.join(cards)}</div>" if cards else ""


def _blocks(run: Run) -> str:
    rows = [
        (b["name"], b["parameters"], b["trained_parameters"])
        for b in run.manifest.get("blocks", [])
    ]
    rows += [("total", sum(row[1] for row in rows), sum(row[2] for row in rows))] if rows else []
    return table(("block", "parameters", "trained"), rows)


def _speed(run: Run) -> str:
    rows = [
        (
            phase,
            s["examples_per_second"],
            s.get("tokens_per_second"),
            "" if s.get("share_of_ceiling") is None else f"{s['share_of_ceiling']:.1%}",
        )
        for phase, s in run.manifest.get("speed", {}).items()
    ]
    columns = ("phase", "examples/s", "real tokens/s", "of peak matmul throughput")
    filled = [i for i in range(len(columns)) if any(row[i] not in (None, "") for row in rows)]
    return table([columns[i] for i in filled], [[row[i] for i in filled] for row in rows])


def _data(run: Run) -> str:
    data = run.manifest.get("data", {})
    rows: list[Any] = list(data.get("examples", {}).items())
    notes = "".join(paragraph(f"- {note}") for note in data.get("notes", []))
    return table(("split", "examples"), rows) + notes


def _settings(run: Run, facts: Facts) -> str:
    given = facts.given
    rows = [(name, value) for name, value in facts.settings.items() if name in given]
    rest = [
        (name, setting_text(value)) for name, value in facts.settings.items() if name not in given
    ]
    versions = [(name, value) for name, value in run.manifest.get("versions", {}).items()]
    return (
        table(("changed", ""), rows)
        + folded("All other settings", table(("setting", ""), rest))
        + folded("Versions", table(("", ""), versions))
    )
