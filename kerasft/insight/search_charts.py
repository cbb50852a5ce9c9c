"""Charts of a search and the importance of its settings, read from its files alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.formatting import setting_text
from kerasft.insight import charts

_LEAST = 5  # completed trials below which importances are noise


def importance(
    space: Sequence[dict[str, Any]], trials: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Return the importance of each setting for the score, largest first.

    Impurity importances of a random forest of 200 trees (Breiman 2001, Machine Learning 45, 5-32)
    that predicts the score from the settings. With few trials they are only indicative.

    Args:
        space: Dimensions, as `describe_space` returns them.
        trials: Each with `values` and `score`; those without a score are left out.

    Returns:
        Importances by name, summing to 1, without settings that never varied; empty with
        fewer than 5 scores or if all are equal.
    """
    from sklearn.ensemble import RandomForestRegressor

    done = [trial for trial in trials if trial["score"] is not None]
    scores = [trial["score"] for trial in done]
    if len(done) < _LEAST or max(scores) == min(scores):
        return {}
    columns = {d["name"]: [_as_number(d, trial["values"]) for trial in done] for d in space}
    varied = {name: column for name, column in columns.items() if len(set(column)) > 1}
    if not varied:
        return {}
    rows = list(zip(*varied.values(), strict=True))
    forest = RandomForestRegressor(200, random_state=0).fit(rows, scores)
    found = dict(zip(varied, map(float, forest.feature_importances_), strict=True))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _as_number(dimension: dict[str, Any], values: dict[str, Any]) -> float:
    value = values.get(dimension["name"])
    if dimension.get("sampling") == "log" and value:
        return math.log(value)
    choices = dimension.get("values")
    if choices is not None:
        return float(choices.index(value)) if value in choices else -1.0
    return float(value or 0.0)


def plot_search(path: Path, header: dict[str, Any], trials: Sequence[dict[str, Any]]) -> None:
    """Draw `objective.png` (over trials) and `settings.png` (each setting against the objective).

    Args:
        path: Folder of the search.
        header: Header of the journal.
        trials: Each with `number`, `values` and `score` (None if not completed).
    """
    done = [trial for trial in trials if trial["score"] is not None]
    if not done:
        return
    figure, grid = charts.grid(1, 1, 6.4, 3.6)
    draw_objective(grid[0], header["objective"], done)
    charts.as_png(figure, path / "objective.png")
    space = header["space"]
    columns = min(len(space), 4)
    figure, grid = charts.grid(math.ceil(len(space) / columns), columns, 3.2, 3.0)
    for axes, dimension in zip(grid, space, strict=False):
        draw_setting(axes, header["objective"]["name"], dimension, done)
    for axes in grid[len(space) :]:
        axes.set_visible(False)
    charts.as_png(figure, path / "settings.png")


def draw_objective(
    axes: Any, objective: dict[str, Any], done: Sequence[dict[str, Any]], *, bare: bool = False
) -> None:
    """Draw the score of every trial, the best so far, and the score of the defaults."""
    better = max if objective["direction"] == "max" else min
    numbers = [trial["number"] for trial in done]
    scores = [trial["score"] for trial in done]
    best = [better(scores[: i + 1]) for i in range(len(scores))]
    axes.plot(numbers, scores, "o", color=charts.TRAIN, ms=4, label="trial")
    axes.step(numbers, best, where="post", color=charts.VALIDATION, label="best so far")
    if numbers[0] == 0:
        axes.axhline(scores[0], color=charts.INK, alpha=0.5, lw=1, ls="--", label="defaults")
    axes.xaxis.get_major_locator().set_params(integer=True)
    charts.finish(axes, "" if bare else objective["name"], "trial")


def draw_setting(
    axes: Any,
    objective: str,
    dimension: dict[str, Any],
    done: Sequence[dict[str, Any]],
    *,
    bare: bool = False,
) -> None:
    """Draw the score of every trial against one of its settings."""
    places, names = _places(dimension, done)
    axes.plot(places, [t["score"] for t in done], "o", color=charts.TRAIN, ms=4, alpha=0.8)
    if names:
        axes.set_xticks(range(len(names)), names)
        axes.margins(x=0.2)
    elif dimension.get("sampling") == "log":
        _log_scale(axes, dimension["max_value"] / dimension["min_value"])
    charts.finish(axes, "" if bare else f"{objective} by {dimension['name']}")


def draw_parallel(
    axes: Any,
    space: Sequence[dict[str, Any]],
    done: Sequence[dict[str, Any]],
    objective: dict[str, Any],
) -> None:
    """Draw every trial as a line through its settings to its score; the best third in color."""
    columns = []
    for dimension in space:
        places, _ = _places(dimension, done)
        log = dimension.get("sampling") == "log"
        columns.append([math.log(place) if log and place > 0 else place for place in places])
    columns.append([trial["score"] for trial in done])
    scaled = [_scaled(column) for column in columns]
    order = sorted(range(len(done)), key=lambda i: done[i]["score"],
                   reverse=objective["direction"] == "min")  # fmt: skip
    good = set(order[-max(len(order) // 3, 1) :])
    for index in order:
        line = [column[index] for column in scaled]
        if index in good:
            axes.plot(line, color=charts.VALIDATION, lw=1.4, alpha=0.9)
        else:
            axes.plot(line, color=charts.TRAIN, lw=0.8, alpha=0.4)
    names = [dimension["name"] for dimension in space] + [objective["name"]]
    axes.set_xticks(range(len(columns)), names, fontsize=9)
    axes.set_yticks([])
    values = [[trial["values"].get(name) for trial in done] for name in names[:-1]]
    values.append([trial["score"] for trial in done])
    for index, column in enumerate(columns):  # minimum and maximum of every axis
        for end, height, side in ((np.nanargmin, -0.03, "top"), (np.nanargmax, 1.03, "bottom")):
            text = setting_text(values[index][int(end(column))])
            axes.text(index, height, text, ha="center", va=side, fontsize=8.5)
    axes.set_ylim(-0.15, 1.15)
    charts.finish(axes, "")


def _places(
    dimension: dict[str, Any], trials: Sequence[dict[str, Any]]
) -> tuple[list[float], list[str]]:
    """Return the positions of the values on an axis, and its tick labels for categories."""
    values = [trial["values"].get(dimension["name"]) for trial in trials]
    if "min_value" in dimension:
        return [math.nan if v is None else float(v) for v in values], []
    choices = list(dimension.get("values", [False, True]))
    places = [float(choices.index(v)) if v in choices else math.nan for v in values]
    return places, [setting_text(choice) for choice in choices]


def _scaled(column: list[float]) -> list[float]:
    known = [value for value in column if not math.isnan(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in column]


def _log_scale(axes: Any, width: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if width <= 100 else (1.0,)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
