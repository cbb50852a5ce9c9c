"""The HTML report of a run: scores, diagnosis, curves, data and settings."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasft.formatting import counted, duration, epoch_text, number, percent, setting_text, shown
from kerasft.insight import charts
from kerasft.insight.commands import fit_command
from kerasft.insight.diagnosis import diagnose
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.page import chart, render, table, tile
from kerasft.insight.report_calibration import decisions
from kerasft.insight.report_scores import classes, confusions, output_charts, scores
from kerasft.runs import Run, load_run, read_json_rows, write_text
from kerasft.runs.predictions_file import read_predictions
from kerasft.tasks.intervals import is_wide, score_interval


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
    facts, arrays = read_facts(run), read_predictions(run)
    path = run.path / "report.html" if path is None else Path(path)
    values = {
        "title": f"{run.recipe}/{run.name}",
        "recipe": run.recipe,
        "dataset": facts.settings.get("dataset", ""),
        "state": f"{facts.state}{f': {facts.reason}' if facts.reason else ''}",
        "headline": _headline(facts, arrays),
        "tiles": list(_tiles(run, facts)),
        "diagnosis": diagnose(run),
        "use": _use(run, facts),
        "curves": _curves(facts),
        "best_epoch": None if facts.best_epoch is None else epoch_text(facts.best_epoch),
        "phases": len({row.get("phase") for row in facts.rows}) > 1,
        "scores": scores(facts),
        "decisions": decisions(run, facts),
        "classes": classes(facts),
        "matrix": confusions(run, facts),
        "charts": output_charts(run, facts, arrays),
        "worst": _worst(run),
        "blocks": _blocks(run),
        "speed": _speed(run),
        "splits": table(("split", "examples"), list(facts.counts.items())),
        "notes": run.manifest.get("data", {}).get("notes", []),
        **_settings(run, facts),
    }
    write_text(path, render("run.html", values))
    return path


def _headline(facts: Facts, arrays: dict[str, Any]) -> dict[str, Any] | None:
    """Return the score of the page, on the test split if there is one."""
    name, split = facts.kind.main_metric, facts.reported_split
    value = facts.metrics.get(split, {}).get(name)
    if value is None:
        return None
    count = facts.metrics[split].get("examples", facts.counts.get(split, 0))
    y, outputs = arrays.get(f"y_{split}"), arrays.get(f"outputs_{split}")
    interval, text, warning = score_interval(facts.kind, value, count, y, outputs), "", ""
    if interval is not None:
        text = f"; 95% confidence interval {number(interval[0])} to {number(interval[1])}"
        if is_wide(facts.kind, interval):
            warning = (
                f"This interval is wide: {counted(count, 'example is', 'examples are')} too few to "
                "compare settings by this score."
            )
    return {"name": name, "value": value, "examples": count, "split": split, "interval": text,
            "warning": warning}  # fmt: skip


def _tiles(run: Run, facts: Facts) -> Iterator[dict[str, Any]]:
    manifest, name = run.manifest, facts.metric
    validation = facts.metrics.get("validation", {}).get(name)
    if validation is not None and "test" in facts.metrics:
        selects = manifest.get("monitor") in (None, f"val_{name}")
        note = "selects the best epoch" if selects else "of the best epoch"
        yield tile(f"validation {name}", validation, note)
    if "soup" in manifest:
        offered = manifest["soup"]
        taken = sum(one["taken"] for one in offered)
        yield tile("averaged fits", taken, f"of {len(offered)}; epochs are those of the best one")
    if name in facts.probe:
        yield tile("linear probe", facts.probe[name], f"validation {name}, on frozen features")
    if facts.untrained:
        metric, by = facts.untrained["metric"], facts.untrained["by"]
        yield tile("without training", facts.untrained[metric], f"validation {metric}, {by}")
    if facts.rows:
        best = "" if facts.best_epoch is None else f"best: {epoch_text(facts.best_epoch)}, by "
        yield tile("epochs", len(facts.rows), best and best + str(manifest.get("monitor")))
    blocks = manifest.get("blocks", [])
    if blocks:
        total = sum(block["parameters"] for block in blocks)
        trained = sum(block["trained_parameters"] for block in blocks)
        yield tile("trained parameters", trained, f"of {total:,}")
    if facts.counts.get("train"):
        yield tile("training examples", facts.counts["train"])
    if manifest.get("seconds"):
        yield tile("time", duration(manifest["seconds"]))
    if manifest.get("created"):
        day, _, hour = str(manifest["created"])[:16].partition("T")
        yield tile("started", day, f"{hour} UTC")


def _use(run: Run, facts: Facts) -> list[dict[str, str]]:
    """Return commands that use the model of a finished run."""
    if facts.state != "done":
        return []
    path, example = str(run.path), run.modality.typed_example(pairs=run.pairs)
    quoted = shlex.quote(path)
    lines = {
        "Predict": f"kerasft predict {quoted} {example}",
        "Evaluate on other data with the same classes" if facts.kind.has_classes
        else "Evaluate on other data": f"kerasft evaluate {quoted} --dataset NEW_DATA",
        "Export a SavedModel with its preprocessing": f"kerasft export {quoted}",
        "In Python": f"import kerasft\n\nrun = kerasft.load_run({path!r})\n"
        f"kerasft.predict(run, [{_python_input(example)}])",
        "Fit again with the same settings": fit_command(facts.recipe, facts.changed),
    }  # fmt: skip
    return [{"purpose": purpose, "command": command} for purpose, command in lines.items()]


def _python_input(typed: str) -> str:
    """Return an input of the shell as a Python string."""
    return typed.removeprefix("$") if typed.endswith("'") else repr(typed)


def _curves(facts: Facts) -> list[dict[str, Any]]:
    if not facts.rows:
        return []
    shown = dict.fromkeys((*facts.kind.curves[:-1], facts.metric, facts.kind.curves[-1]))
    names = [name for name in shown if name in facts.rows[0]]
    if any(row.get("penalty") for row in facts.rows):
        names.insert(1, "penalty")
    return [_curve(facts, name) for name in names]


def _curve(facts: Facts, name: str) -> dict[str, Any]:
    """Return the chart of a metric by epoch; its note has the values of the best epoch."""
    draw = functools.partial(
        charts.draw_curve, history=facts.rows, name=name, best=facts.best_epoch, bare=True
    )
    best = facts.best_row or {}
    values = [
        f"{label} {number(best[key])}"
        for label, key in (("training", name), ("validation", f"val_{name}"))
        if best.get(key) is not None and name != "learning_rate"
    ]
    note = f"{', '.join(values)} at the best epoch" if values else ""
    return chart(name.replace("_", " "), charts.as_svg(f"{name} by epoch", draw), note)


def _worst(run: Run) -> list[dict[str, Any]]:
    path = run.record_file("worst.json")
    return [
        {
            "origin": row["origin"],
            "picture": row.get("picture"),
            "text": row.get("text"),
            "caption": list(_caption(row)),
        }
        for row in (read_json_rows(path, "origin", "truth") if path.exists() else [])
    ]


def _caption(row: dict[str, Any]) -> Iterator[str]:
    confidence = "" if row["probability"] is None else f" ({percent(row['probability'])})"
    yield f"truth {shown(row['truth'])}"
    yield f"predicted {shown(row['prediction'])}{confidence}"
    yield f"loss {shown(row['loss'])}"


def _blocks(run: Run) -> dict[str, Any]:
    rows = [
        (b["name"], b["parameters"], b["trained_parameters"])
        for b in run.manifest.get("blocks", [])
    ]
    rows += [("total", sum(row[1] for row in rows), sum(row[2] for row in rows))] if rows else []
    return table(("block", "parameters", "trained"), rows)


def _speed(run: Run) -> dict[str, Any]:
    rows = []
    for phase, found in run.manifest.get("speed", {}).items():
        share = found.get("share_of_peak", found.get("share_of_ceiling"))  # in older records
        per_second = found["examples_per_second"], found.get("tokens_per_second")
        rows.append((phase, *per_second, None if share is None else percent(share)))
    columns = ("phase", "examples/s", "real tokens/s", "of peak matmul throughput")
    filled = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    return table([columns[i] for i in filled], [[row[i] for i in filled] for row in rows])


def _settings(run: Run, facts: Facts) -> dict[str, Any]:
    """Return the tables of the settings that were changed, of the others, and of versions."""
    rows = [(name, setting_text(value)) for name, value in facts.settings.items()]
    columns = ("setting", "value")
    return {
        "changed": table(columns, [row for row in rows if row[0] in facts.changed]),
        "unchanged": table(columns, [row for row in rows if row[0] not in facts.changed]),
        "versions": table(("package", "version"), list(run.manifest.get("versions", {}).items())),
    }
