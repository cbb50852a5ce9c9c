"""One page about a search: what it found, by how much, and which settings mattered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.insight import charts
from kerasft.insight.page import escape, figure, page, paragraph, section, shown, table
from kerasft.insight.searches import importance
from kerasft.runs import write_text


def search_report(
    path: Path,
    name: str,
    header: dict[str, Any],
    trials: Sequence[dict[str, Any]],
    *,
    best: int | None,
    chance: float | None,
    command: str | None,
) -> Path:
    """Writes the report of a search.

    Args:
        path: The file.
        name: How the search is called.
        header: As the journal has it.
        trials: Each with `number`, `values`, `score` (None where it was not completed), `state`,
            `epochs` and `seconds`.
        best: Number of the winner.
        chance: A gain that chance alone may give, where that is known.
        command: The line that fits the winner.
    """
    objective = header["objective"]
    done = [trial for trial in trials if trial["score"] is not None]
    parts = [
        _headline(name, header, done, best),
        section("Winner against defaults", _winner(header, trials, best, chance), _line(command)),
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
        return text + paragraph("No trial was completed.")
    text += f"<p class=headline>{escape(header['objective']['name'])} {shown(scores[best])}</p>"
    return text + paragraph(
        f"trial {best} of {len(done)} completed ones; {header['tuner']}, seed {header['seed']}",
        "soft",
    )


def _winner(
    header: dict[str, Any], trials: Sequence[Any], best: int | None, chance: float | None
) -> str:
    by_number = {trial["number"]: trial for trial in trials}
    if best is None or 0 not in by_number or by_number[0]["score"] is None:
        return ""
    winner, defaults = by_number[best], by_number[0]
    rows = [(header["objective"]["name"], shown(defaults["score"]), shown(winner["score"]))]
    for name in winner["values"]:
        usual = defaults["values"].get(name, header["config"].get(name))
        rows.append((name, shown(usual), shown(winner["values"][name])))
    gain = winner["score"] - defaults["score"]
    words = f"Gain over the defaults: {gain:+.4g}."
    if chance is not None:
        told = "more" if abs(gain) > chance else "no more"
        words += f" Chance alone gives up to {chance:.4g}: this is {told} than that."
    return table(("", "defaults", "winner"), rows) + paragraph(words)


def _line(command: str | None) -> str:
    return f"<pre>{escape(command)}</pre>" if command else ""


def _objective(done: list[Any], objective: dict[str, Any]) -> str:
    if not done:
        return ""
    better = max if objective["direction"] == "max" else min
    drawing, axes = charts.canvas(7.0, 3.2)
    numbers = [trial["number"] for trial in done]
    scores = [trial["score"] for trial in done]
    best = [better(scores[: i + 1]) for i in range(len(scores))]
    axes.plot(numbers, scores, "o", color=charts.TRAIN, ms=4, label="trial")
    axes.step(numbers, best, where="post", color=charts.VALIDATION, label="best so far")
    axes.xaxis.get_major_locator().set_params(integer=True)
    charts.finish(axes, objective["name"], "trial")
    return charts.svg(drawing, "objective by trial")


def _settings(header: dict[str, Any], done: list[Any], name: str) -> str:
    drawn = "".join(figure(_setting(dimension, done, name)) for dimension in header["space"])
    shares = importance(header["space"], done)
    bars = figure(
        charts.bars(list(shares), list(shares.values()), "importance"),
        "Share of each setting in the differences between scores (random forest); with few "
        "trials a hint, no proof.",
    ) if shares else ""  # fmt: skip
    return f"<div class=charts>{drawn}{bars}</div>" if done else ""


def _places(dimension: dict[str, Any], trials: Sequence[Any]) -> tuple[list[float], list[str]]:
    """Returns where the values of trials stand, and the names of places where they are words."""
    values = [trial["values"].get(dimension["name"]) for trial in trials]
    if "min_value" in dimension:
        return [math.nan if v is None else float(v) for v in values], []
    choices = list(dimension.get("values", [False, True]))
    return [float(choices.index(v)) if v in choices else math.nan for v in values], [
        shown(choice) for choice in choices
    ]


def _setting(dimension: dict[str, Any], done: list[Any], name: str) -> str:
    drawing, axes = charts.canvas(3.6, 2.7)
    places, names = _places(dimension, done)
    axes.plot(places, [t["score"] for t in done], "o", color=charts.TRAIN, ms=4, alpha=0.8)
    if names:
        axes.set_xticks(range(len(names)), names)
        axes.margins(x=0.2)
    elif dimension.get("sampling") == "log":
        axes.set_xscale("log")
    charts.finish(axes, f"{name} by {dimension['name']}")
    return charts.svg(drawing, f"{name} by {dimension['name']}")


def _parallel(space: list[Any], done: list[Any], objective: dict[str, Any]) -> str:
    """Draws every trial as a line through its settings to its score; the best third in colour."""
    if len(done) < 2:
        return ""
    columns = []
    for dimension in space:
        places, _ = _places(dimension, done)
        log = dimension.get("sampling") == "log"
        columns.append([math.log(p) if log and p > 0 else p for p in places])
    columns.append([trial["score"] for trial in done])
    drawing, axes = charts.canvas(1.5 + 1.3 * len(columns), 3.4)
    scaled = [_scaled(column) for column in columns]
    order = sorted(range(len(done)), key=lambda i: done[i]["score"],
                   reverse=objective["direction"] == "min")  # fmt: skip
    good = set(order[-max(len(order) // 3, 1) :])
    for index in order:
        colour = charts.VALIDATION if index in good else charts.TRAIN
        axes.plot([c[index] for c in scaled], color=colour, lw=1.4 if index in good else 0.8,
                  alpha=0.9 if index in good else 0.4)  # fmt: skip
    axes.set_xticks(range(len(columns)), [d["name"] for d in space] + [objective["name"]],
                    fontsize=8)  # fmt: skip
    axes.set_yticks([0, 1], ["least", "most"])
    charts.finish(axes, "the best third in orange")
    return charts.svg(drawing, "settings and score of every trial")


def _scaled(column: list[float]) -> list[float]:
    known = [value for value in column if not math.isnan(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in column]


def _trials(header: dict[str, Any], trials: Sequence[Any]) -> str:
    names = [dimension["name"] for dimension in header["space"]]
    larger = header["objective"]["direction"] == "max"
    worst = -math.inf if larger else math.inf

    def score(trial: Any) -> float:
        return float(worst if trial["score"] is None else trial["score"])

    rows = [
        (t["number"], t["score"], t["state"], t["epochs"], t.get("seconds"),
         *(shown(t["values"].get(name)) for name in names))
        for t in sorted(trials, key=score, reverse=larger)
    ]  # fmt: skip
    columns = ("trial", header["objective"]["name"], "state", "epochs", "seconds", *names)
    return table(columns, rows)
