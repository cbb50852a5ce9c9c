"""The HTML report of a run: scores, diagnosis, curves, data and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kerasft.formatting import number, setting_text, shown
from kerasft.insight.diagnosis import diagnose
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.intervals import score_interval
from kerasft.insight.page import escape, folded, page, paragraph, section, table
from kerasft.insight.report_charts import confusion_chart, curve_charts, prediction_charts
from kerasft.runs import Run, load_run, write_text


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
        section("Curves", curve_charts(facts, str(run.manifest.get("monitor")))),
        section("Scores", _scores(facts), _classes(facts), prediction_charts(facts, arrays)),
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
        text += confusion_chart(matrix, [row["name"] for row in rows])
    return text


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
