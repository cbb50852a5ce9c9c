"""The HTML report of a search: best trial, gain over the defaults, importance of settings."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.formatting import duration, number, setting_text, shown
from kerasft.insight import charts
from kerasft.insight.page import chart, render, table, tile
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
    done = [trial for trial in trials if trial["score"] is not None]
    by_number = {trial["number"]: trial for trial in trials}
    best = by_number[winner["number"]] if winner else None
    defaults = by_number.get(0)
    compared = defaults if best and defaults and defaults["score"] is not None else None
    values = {
        "title": name,
        "recipe": header["recipe"]["name"],
        "dataset": header["config"].get("dataset", ""),
        "headline": _headline(header, done, best),
        "tiles": list(_tiles(trials, compared, best, winner)),
        "best": _settings_of(header, compared, best),
        "gain": _gain(compared, best, winner),
        "fit_command": winner["command"] if winner else "",
        "objective": _objective(done, header["objective"]),
        "charts": _charts(header, done),
        "paths": _paths(header["space"], done, header["objective"]),
        "trials": _trials(header, trials, best),
    }
    write_text(path, render("search.html", values))
    return path


def _headline(
    header: dict[str, Any], done: Sequence[Any], best: dict[str, Any] | None
) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "name": header["objective"]["name"],
        "value": best["score"],
        "trial": best["number"],
        "completed": len(done),
        "tuner": header["tuner"],
        "seed": header["seed"],
    }


def _tiles(
    trials: Sequence[Any],
    defaults: dict[str, Any] | None,
    best: dict[str, Any] | None,
    winner: dict[str, Any] | None,
) -> Iterator[dict[str, Any]]:
    if defaults and best and winner:
        noise = winner["noise"]
        yield tile("defaults", defaults["score"], "trial 0")
        note = "" if noise is None else f"noise is up to {number(noise)}"
        yield tile("gain over the defaults", f"{best['score'] - defaults['score']:+.4g}", note)
    states = [trial["state"] for trial in trials]
    counts = [f"{states.count(state)} {state}" for state in sorted(set(states))]
    yield tile("trials", len(trials), ", ".join(counts))
    seconds = sum(trial.get("seconds") or 0.0 for trial in trials)
    if seconds:
        yield tile("time of all trials", duration(seconds))


def _settings_of(
    header: dict[str, Any], defaults: dict[str, Any] | None, best: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the settings of the best trial beside the defaults."""
    if best is None or defaults is None:
        return table((), [])
    rows = [(header["objective"]["name"], shown(defaults["score"]), shown(best["score"]))]
    for name in best["values"]:
        default = defaults["values"].get(name, header["config"].get(name))
        rows.append((name, setting_text(default), setting_text(best["values"][name])))
    return table(("setting", "defaults", "best trial"), rows)


def _gain(
    defaults: dict[str, Any] | None, best: dict[str, Any] | None, winner: dict[str, Any] | None
) -> str:
    if defaults is None or best is None or winner is None:
        return ""
    gain, noise = best["score"] - defaults["score"], winner["noise"]
    text = f"Gain over the defaults: {gain:+.4g}."
    if noise is not None:
        verdict = "above" if abs(gain) > noise else "within"
        text += f" Noise is up to {noise:.4g}: the gain is {verdict} noise."
    return text


def _objective(done: list[Any], objective: dict[str, Any]) -> dict[str, Any] | None:
    if not done:
        return None
    draw = functools.partial(draw_objective, objective=objective, done=done, bare=True)
    svg = charts.as_svg("objective by trial", draw, 5.4, 3.0)
    return chart(f"{objective['name']} by trial", svg)


def _charts(header: dict[str, Any], done: list[Any]) -> list[dict[str, Any]]:
    """Return the charts of importance, and of every setting against the objective."""
    if not done:
        return []
    name, drawn = header["objective"]["name"], []
    shares = importance(header["space"], done)
    if shares:
        svg = charts.as_svg(
            "importance",
            lambda axes: charts.draw_bars(axes, shares),
            height=max(0.4 + 0.3 * len(shares), 2.2),
        )
        note = "of each setting for the score (random forest; few trials: indicative)"
        drawn.append(chart("importance", svg, note))
    for dimension in header["space"]:
        title = f"{name} by {dimension['name']}"
        draw = functools.partial(
            draw_setting, objective=name, dimension=dimension, done=done, bare=True
        )
        drawn.append(chart(title, charts.as_svg(title, draw)))
    return drawn


def _paths(space: list[Any], done: list[Any], objective: dict[str, Any]) -> dict[str, Any] | None:
    if len(done) < 2:
        return None
    draw = functools.partial(draw_parallel, space=space, done=done, objective=objective)
    label = "settings and score of every trial"
    svg = charts.as_svg(label, draw, max(2.8 + 1.3 * len(space), 10.5), 3.6)
    return chart(label, svg, "one line a trial, the best third in orange")


def _trials(
    header: dict[str, Any], trials: Sequence[Any], best: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the table of all trials, the best first."""
    names = [dimension["name"] for dimension in header["space"]]
    larger = header["objective"]["direction"] == "max"
    worst = -math.inf if larger else math.inf

    def score(trial: Any) -> float:
        return float(worst if trial["score"] is None else trial["score"])

    ordered = sorted(trials, key=score, reverse=larger)
    rows = [
        (t["number"], t["score"], t["state"], t["epochs"], t.get("seconds"),
         *(setting_text(t["values"].get(name)) for name in names))
        for t in ordered
    ]  # fmt: skip
    columns = ("trial", header["objective"]["name"], "state", "epochs", "seconds", *names)
    return table(columns, rows, None if best is None else ordered.index(best))
