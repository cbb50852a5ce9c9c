"""The HTML report of a search: best trial, gain over the defaults, importance of settings."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.formatting import setting_text, shown
from kerasft.insight import charts
from kerasft.insight.page import escape, figure, page, paragraph, section, table
from kerasft.insight.search_charts import draw_objective, draw_parallel, draw_setting, importance
from kerasft.runs import write_text


def search_report(
    path: Path,
    name: str,
    header: dict[str, Any],
    trials: Sequence[dict[str, Any]],
    winner: dict[str, Any] | None,
) -> Path:
    """Write the report of a search.

    Args:
        path: File to write.
        name: Name of the search.
        header: Header of the journal.
        trials: Each with `number`, `values`, `score` (None if not completed), `state`,
            `epochs` and `seconds`.
        winner: `number` of the best trial, `noise` (gain that is within noise, None if unknown) and
            `command` that fits it; None without a completed trial.
    """
    objective = header["objective"]
    best = None if winner is None else winner["number"]
    done = [trial for trial in trials if trial["score"] is not None]
    parts = [
        _headline(name, header, done, best),
        section("Best trial vs defaults", _winner(header, trials, winner), _line(winner)),
        section("Over time", figure(_objective(done, objective))),
        section("Settings", _settings(header, done, objective["name"])),
        section("Paths of the trials", figure(_parallel(header["space"], done, objective))),
        section("Trials", _trials(header, trials)),
    ]
    write_text(path, page(name, parts))
    return path


def _headline(name: str, header: dict[str, Any], done: list[Any], best: int | None) -> str:
    text = f"<p class=soft>{escape(header['recipe']['name'])} on "
    text += f"{escape(header['config'].get('dataset', ''))}</p><h1>{escape(name)}</h1>"
    scores = {trial["number"]: trial["score"] for trial in done}
    if best is None:
        return text + paragraph("No trial completed.")
    text += f"<p class=headline>{escape(header['objective']['name'])} {shown(scores[best])}</p>"
    return text + paragraph(
        f"trial {best} of {len(done)} completed; {header['tuner']}, seed {header['seed']}",
        "soft",
    )


def _winner(header: dict[str, Any], trials: Sequence[Any], winner: dict[str, Any] | None) -> str:
    by_number = {trial["number"]: trial for trial in trials}
    if winner is None or 0 not in by_number or by_number[0]["score"] is None:
        return ""
    best, defaults, noise = by_number[winner["number"]], by_number[0], winner["noise"]
    rows = [(header["objective"]["name"], shown(defaults["score"]), shown(best["score"]))]
    for name in best["values"]:
        default = defaults["values"].get(name, header["config"].get(name))
        rows.append((name, setting_text(default), setting_text(best["values"][name])))
    gain = best["score"] - defaults["score"]
    text = f"Gain over the defaults: {gain:+.4g}."
    if noise is not None:
        verdict = "above" if abs(gain) > noise else "within"
        text += f" Noise is up to {noise:.4g}: the gain is {verdict} noise."
    return table(("", "defaults", "best trial"), rows) + paragraph(text)


def _line(winner: dict[str, Any] | None) -> str:
    return f"<pre>{escape(winner['command'])}</pre>" if winner else ""


def _objective(done: list[Any], objective: dict[str, Any]) -> str:
    if not done:
        return ""
    return charts.as_svg(
        "objective by trial", lambda axes: draw_objective(axes, objective, done), 7.0, 3.2
    )


def _settings(header: dict[str, Any], done: list[Any], name: str) -> str:
    if not done:
        return ""
    drawn = "".join(
        figure(
            charts.as_svg(
                f"{name} by {dimension['name']}",
                functools.partial(draw_setting, objective=name, dimension=dimension, done=done),
            )
        )
        for dimension in header["space"]
    )
    shares = importance(header["space"], done)
    if shares:
        caption = (
            "Importance of each setting for the score (random forest); only indicative with few "
            "trials."
        )
        bars = charts.as_svg(
            "importance",
            lambda axes: charts.draw_bars(axes, shares, "importance"),
            height=0.9 + 0.32 * len(shares),
        )
        drawn += figure(bars, caption)
    return f"<div class=charts>{drawn}</div>"


def _parallel(space: list[Any], done: list[Any], objective: dict[str, Any]) -> str:
    if len(done) < 2:
        return ""
    return charts.as_svg(
        "settings and score of every trial",
        lambda axes: draw_parallel(axes, space, done, objective),
        2.8 + 1.3 * len(space),
        3.4,
    )


def _trials(header: dict[str, Any], trials: Sequence[Any]) -> str:
    names = [dimension["name"] for dimension in header["space"]]
    larger = header["objective"]["direction"] == "max"
    worst = -math.inf if larger else math.inf

    def score(trial: Any) -> float:
        return float(worst if trial["score"] is None else trial["score"])

    rows = [
        (t["number"], t["score"], t["state"], t["epochs"], t.get("seconds"),
         *(setting_text(t["values"].get(name)) for name in names))
        for t in sorted(trials, key=score, reverse=larger)
    ]  # fmt: skip
    columns = ("trial", header["objective"]["name"], "state", "epochs", "seconds", *names)
    return table(columns, rows)
