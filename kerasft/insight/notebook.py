"""HTML of runs, searches, diagnoses and comparisons in a notebook: no scripts, links or requests.

The colors are those of the notebook, light or dark.
"""

from __future__ import annotations

import functools
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError
from kerasft.formatting import group_name, printable, run_name, setting_text, settings_text
from kerasft.insight import charts
from kerasft.insight.page import chart, render, table
from kerasft.insight.search_charts import draw_objective
from kerasft.runs import Run, load_run
from kerasft.tasks import task_of

_LIST = 10  # trials of a search
_WIDTH = 92  # characters of a line of text


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
    name = run_name(run.path)
    try:
        manifest, task = run.manifest, task_of(run.labels["task"])
        metrics, history, reason = run.metrics, run.history, manifest.get("reason")
    except DamagedFileError as error:
        return _page((name, run.state), str(error))
    dataset = manifest.get("data", {}).get("dataset", "")
    scores = [score for score in task.main_metrics if any(score in m for m in metrics.values())]
    rows = [(split, *(found.get(score) for score in scores)) for split, found in metrics.items()]
    return _page(
        (name, f"{run.state}, on {dataset}" if dataset else run.state),
        str(reason or ""),
        scores=table(("", *scores), rows),
        drawn=_curves(name, history, ("loss", task.main_metric), manifest.get("best_epoch")),
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
        (name, f"{header['tuner']}, {len(done)} of {len(trials)} trials completed"),
        scores=table(("trial", objective["name"], *names), rows),
        drawn=[_chart(f"{name} objective by trial", draw)] if done else (),
        fit_command=winner["command"] if winner else "",
    )


class Diagnosis(dict[str, Any]):
    """Findings about a run as a dict; its text is what `kerasft diagnose` prints.

    A notebook shows them with the curve of the loss.
    """

    def __repr__(self) -> str:
        return self.text()

    __str__ = __repr__

    def text(self, width: int = _WIDTH) -> str:
        """Return the findings with evidence, advice and commands as lines of text.

        Args:
            width: Longest line, without commands.
        """
        lines = [f"State of this fit: {self['state']}."] if self["state"] != "done" else []
        if self["state"] == "interrupted":
            resume = f"kerasft show {shlex.quote(str(self['run']))}"
            lines.append(f"Resume it first; `{resume}` has the command.")
        lines += [self.verdict] if self.verdict else []
        for number, finding in enumerate(self["findings"], start=1):
            title = finding["title"]
            lines.append(f"{number}. {title}" if finding["fault"] else f"-  {title} (note)")
            lines.append(_indented(printable(finding["evidence"]), width, "   "))
            for advice in finding["advice"]:
                what = settings_text(advice["changes"])
                why = f"{what}: {advice['why']}" if what else advice["why"]
                lines.append(_indented(why, width, "   > "))
                lines += [f"     {advice['command']}"] if advice["command"] else []
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """What is printed above notes, or instead of findings; empty with a fault."""
        if not self["healthy"]:
            return ""
        if not self["findings"]:
            return "No problems found." if self["epochs"] else "No epoch has ended yet."
        return "No faults found."

    def _repr_html_(self) -> str:
        run = Run(Path(self["run"]))
        return _page(
            (run_name(run.path), self.verdict or self["state"]),
            findings=self["findings"],
            drawn=_curves(str(run.path), _history(run), ("loss",), None),
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
        histories = {run_name(run.path): _history(run) for run in runs}
        histories = {label: rows for label, rows in histories.items() if rows}
        draw = functools.partial(charts.draw_overlaid, histories=histories, name=name)
        return _page(
            text=self["note"],
            scores=table(("run", f"{self['split']} {name}", "settings", "vs first"), rows),
            drawn=[_chart(f"{name} of {', '.join(histories)}", draw)] if histories else (),
        )


def _changes(group: dict[str, Any]) -> str:
    changes = group["settings"].items()
    return ", ".join(f"{k} {setting_text(a)} -> {setting_text(b)}" for k, (a, b) in changes)


def _indented(text: str, width: int, prefix: str) -> str:
    return textwrap.indent(textwrap.fill(text, width), prefix)


def _history(run: Run) -> list[dict[str, Any]]:
    """Return the history of a run, empty if it was deleted or is damaged."""
    try:
        return run.history
    except DamagedFileError:
        return []


def _curves(
    title: str, history: list[dict[str, Any]], names: Iterable[str], best: int | None
) -> list[dict[str, Any]]:
    return [
        _chart(
            f"{title} {name} by epoch",
            functools.partial(charts.draw_curve, history=history, name=name, best=best),
        )
        for name in names
        if history and name in history[0]
    ]


def _chart(label: str, draw: charts.Draw) -> dict[str, Any]:
    """Return a chart; its label distinguishes its identifiers from others in the notebook."""
    return chart(label, charts.as_svg(label, draw))


def _page(
    heading: tuple[str, str] | None = None,
    text: str = "",
    *,
    scores: dict[str, Any] | None = None,
    drawn: Sequence[dict[str, Any]] = (),
    findings: Sequence[dict[str, Any]] = (),
    fit_command: str = "",
) -> str:
    """Return a page of the parts that are given; the heading is a name and a state."""
    values = {"heading": heading, "text": text, "scores": scores, "charts": drawn,
              "findings": findings, "fit_command": fit_command}  # fmt: skip
    return render("notebook.html", values)
