"""HTML of runs, searches, diagnoses and comparisons in a notebook: no scripts, links or requests.

The colors are those of the notebook, light or dark.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError
from kerasft.formatting import group_name, setting_text, shown
from kerasft.insight import charts
from kerasft.insight.search_charts import draw_objective
from kerasft.runs import Run, load_run
from kerasft.tasks import task_of

_LIST = 10  # trials of a search
# With what the style sheet of a chart says, which would hold for the whole notebook.
_CHART = "flex: 1 1 18rem; max-width: 26rem; stroke-linejoin: round; stroke-linecap: butt"


def run_html(run: Run | str | Path) -> str:
    """Return the scores and curves of a run as HTML, as a notebook shows them.

    Args:
        run: Any run, finished or not, or its folder or name as in `load_run`.

    Returns:
        HTML without scripts, links or requests.

    Raises:
        SettingError: The run was not found.

    Example:
        >>> IPython.display.HTML(kerasft.run_html("latest"))
    """
    run = load_run(run)
    name = f"{run.path.parent.name}/{run.name}"
    try:
        manifest, task = run.manifest, task_of(run.labels["task"])
        metrics, history, reason = run.metrics, run.history, manifest.get("reason")
    except DamagedFileError as error:
        return _page(_title(name, run.state), _text(str(error)))
    dataset = manifest.get("data", {}).get("dataset", "")
    scores = [score for score in task.main_metrics if any(score in m for m in metrics.values())]
    rows = [(split, *(found.get(score) for score in scores)) for split, found in metrics.items()]
    return _page(
        _title(name, f"{run.state}, on {dataset}" if dataset else run.state),
        _text(str(reason)) if reason else "",
        _table(("", *scores), rows),
        _curves(name, history, ("loss", *task.main_metrics[:1]), manifest.get("best_epoch")),
    )


def search_html(
    name: str,
    header: dict[str, Any],
    trials: Sequence[dict[str, Any]],
    winner: dict[str, Any] | None,
) -> str:
    """Return the best trials of a search and its objective by trial as HTML.

    Args:
        name: Name of the search.
        header: Header of the journal.
        trials: Each with `number`, `values`, `score` (None if not completed) and `state`.
        winner: `command` that fits the best trial; None without a completed trial.
    """
    objective = header["objective"]
    done = [trial for trial in trials if trial["score"] is not None]
    best = sorted(done, key=lambda t: t["score"], reverse=objective["direction"] == "max")
    names = [dimension["name"] for dimension in header["space"]]
    rows = [
        (t["number"], t["score"], *(setting_text(t["values"].get(name)) for name in names))
        for t in best[:_LIST]
    ]
    draw = functools.partial(draw_objective, objective=objective, done=done)
    return _page(
        _title(name, f"{header['tuner']}, {len(done)} of {len(trials)} trials completed"),
        _table(("trial", objective["name"], *names), rows),
        _charts([_chart(f"{name} objective by trial", draw)] if done else []),
        _command(winner["command"]) if winner else "",
    )


class Diagnosis(dict[str, Any]):
    """Findings about a run, which a notebook shows with the curve of the loss."""

    @property
    def verdict(self) -> str:
        """What is printed above notes, or instead of findings; empty with a fault."""
        if not self["healthy"]:
            return ""
        return "No faults found." if self["findings"] else "No problems found."

    def _repr_html_(self) -> str:
        run = Run(Path(self["run"]))
        return _page(
            _title(f"{run.path.parent.name}/{run.name}", self.verdict or self["state"]),
            *(_finding(finding) for finding in self["findings"]),
            _curves(str(run.path), _history(run), ("loss",), None),
        )


class Comparison(dict[str, Any]):
    """Compared runs, which a notebook shows with the curves of the score."""

    def _repr_html_(self) -> str:
        name = self["score"]
        rows = [
            (
                group_name(group["runs"]),
                group["mean"],
                _changes(group),
                group.get("verdict", "reference"),
            )
            for group in self["groups"]
        ]
        runs = [Run(Path(group["runs"][0])) for group in self["groups"]]
        histories = {f"{run.path.parent.name}/{run.name}": _history(run) for run in runs}
        drawn = {label: rows for label, rows in histories.items() if rows}
        draw = functools.partial(_draw_overlaid, histories=drawn, name=name)
        note = "" if self["same_data"] else "The runs have different data."
        return _page(
            _table(("run", f"{self['split']} {name}", "settings", "vs first"), rows),
            _text(note) if note else "",
            _charts([_chart(f"{name} of {', '.join(drawn)}", draw)] if drawn else []),
        )


def _finding(finding: dict[str, Any]) -> str:
    text = f"<p><b>{_escaped(finding['title'])}</b><br>{_escaped(finding['evidence'])}</p>"
    for advice in finding["advice"]:
        text += _text(advice["why"])
        text += _command(advice["command"]) if advice["command"] else ""
    return text


def _changes(group: dict[str, Any]) -> str:
    changes = group["settings"].items()
    return ", ".join(f"{k} {setting_text(a)} -> {setting_text(b)}" for k, (a, b) in changes)


def _history(run: Run) -> list[dict[str, Any]]:
    """Return the history of a run, empty if it was deleted or is damaged."""
    try:
        return run.history
    except DamagedFileError:
        return []


def _draw_overlaid(axes: Any, histories: dict[str, list[dict[str, Any]]], name: str) -> None:
    for label, history in histories.items():
        charts.draw_column(axes, history, f"val_{name}", label=label)
    charts.finish(axes, f"validation {name}", "epoch")


def _curves(
    title: str, history: list[dict[str, Any]], names: Iterable[str], best: int | None
) -> str:
    present = [name for name in names if history and name in history[0]]
    return _charts(
        _chart(
            f"{title} {name} by epoch",
            functools.partial(charts.draw_curve, history=history, name=name, best=best),
        )
        for name in present
    )


def _chart(label: str, draw: charts.Draw) -> str:
    # The label distinguishes the identifiers of several charts in one notebook.
    drawn = re.sub("<style.*?</style>", "", charts.as_svg(label, draw), flags=re.DOTALL)
    return f"<div style='{_CHART}'>{drawn}</div>"


def _charts(drawn: Iterable[str]) -> str:
    return f"<div style='display: flex; flex-wrap: wrap; gap: 1rem'>{''.join(drawn)}</div>"


def _escaped(value: Any) -> str:
    return html.escape(shown(value))


def _title(name: str, more: str) -> str:
    return f"<p><b>{_escaped(name)}</b> {_escaped(more)}</p>"


def _text(text: str) -> str:
    return f"<p>{_escaped(text)}</p>"


def _command(line: str) -> str:
    return f"<pre style='white-space: pre-wrap'>{_escaped(line)}</pre>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{_escaped(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _page(*parts: str) -> str:
    return f"<div>{''.join(parts)}</div>"
