"""Pictures of a search, and how much each setting mattered, from its record alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.runs import atomic_path

_LEAST = 5  # completed trials, below which an importance would be chance
_BLUE, _ORANGE = "#3b6fb6", "#d1622b"


def importance(
    space: Sequence[dict[str, Any]], trials: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Returns the share of each setting in the differences between scores, the largest first.

    The impurity importances of a random forest of 200 trees (Breiman 2001, Machine Learning 45,
    5-32) from settings to score. With few trials they are a hint, no proof.

    Args:
        space: Dimensions as `describe_space` gives them.
        trials: Each with `values` and `score`; those without a score are left out.

    Returns:
        By name, summing to 1; empty with fewer than 5 scores, or where all are equal.
    """
    from sklearn.ensemble import RandomForestRegressor

    done = [trial for trial in trials if trial["score"] is not None]
    scores = [trial["score"] for trial in done]
    names = [dimension["name"] for dimension in space]
    if len(done) < _LEAST or max(scores) == min(scores):
        return {}
    rows = [[_as_number(d, trial["values"]) for d in space] for trial in done]
    forest = RandomForestRegressor(200, random_state=0).fit(rows, scores)
    found = dict(zip(names, map(float, forest.feature_importances_), strict=True))
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
    """Draws `objective.png` (over trials) and `settings.png` (each setting against the objective).

    Args:
        path: The search's folder.
        header: As the journal has it.
        trials: Each with `number`, `values` and `score` (None where it was not completed).
    """
    done = [trial for trial in trials if trial["score"] is not None]
    if not done:
        return
    name, sign = header["objective"]["name"], header["objective"]["direction"] == "max"
    _plot_objective(path / "objective.png", name, sign, done)
    _plot_settings(path / "settings.png", name, header["space"], done)


def _plot_objective(path: Path, name: str, larger: bool, done: list[dict[str, Any]]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    numbers = [trial["number"] for trial in done]
    scores = [trial["score"] for trial in done]
    best = [(max if larger else min)(scores[: i + 1]) for i in range(len(scores))]
    axes.plot(numbers, scores, "o", color=_BLUE, ms=4, label="trial")
    axes.step(numbers, best, where="post", color=_ORANGE, label="best so far")
    if numbers[0] == 0:
        axes.axhline(scores[0], color="0.5", lw=1, ls="--", label="defaults")
    _style(axes, "trial", name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _plot_settings(
    path: Path, name: str, space: Sequence[dict[str, Any]], done: list[dict[str, Any]]
) -> None:
    from matplotlib.figure import Figure

    columns = min(len(space), 4)
    rows = math.ceil(len(space) / columns)
    figure = Figure(figsize=(3.2 * columns, 3.0 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, dimension in zip(grid.flat, space, strict=False):
        setting = dimension["name"]
        values = [trial["values"].get(setting) for trial in done]
        choices = None if "min_value" in dimension else dimension.get("values", [False, True])
        if choices is not None:
            values = [choices.index(value) if value in choices else None for value in values]
            axes.set_xticks(range(len(choices)), [str(choice) for choice in choices])
            axes.margins(x=0.2)
        places = [math.nan if value is None else value for value in values]
        axes.plot(places, [trial["score"] for trial in done], "o", color=_BLUE, ms=4, alpha=0.8)
        if dimension.get("sampling") == "log":
            _log_scale(axes, dimension["max_value"] / dimension["min_value"])
        _style(axes, setting, name if axes in grid[:, 0] else "")
    for axes in grid.flat[len(space) :]:
        axes.set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _log_scale(axes: Any, width: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if width <= 100 else (1.0,)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _style(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
