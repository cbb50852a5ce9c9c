"""Charts of runs and searches on any axes, in one style, as PNG or as SVG for a report."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.runs import atomic_path

INK = "#010203"  # in a report it is replaced by the color of the text
TRAIN, VALIDATION, BEST = "#3b82c4", "#e07b39", "#2e9e6b"
Draw = Callable[[Any], None]


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """Return a figure and its axes in one style.

    Args:
        rows: Number of rows of axes.
        columns: Number of columns of axes.
        width: Width of each, in inches.
        height: Height of each, in inches.
    """
    from kerasft.insight.inline_figure import InlineFigure

    figure = InlineFigure(figsize=(width * columns, height * rows), layout="constrained")
    found = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        for spine in axes.spines.values():
            spine.set_color(INK)
        axes.tick_params(colors=INK, labelsize=9, length=0)
        axes.grid(alpha=0.15, color=INK)
        axes.set_axisbelow(True)
    return figure, found


def as_png(figure: Any, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def as_svg(label: str, draw: Draw, width: float = 3.5, height: float = 2.4) -> str:
    """Return a chart as SVG for a page, with a label for screen readers.

    Args:
        label: Label, unique in a report or notebook: identifiers are derived from it.
        draw: Function that draws on the axes.
        width: Width in inches.
        height: Height in inches.
    """
    import matplotlib

    figure, (axes,) = grid(1, 1, width, height)
    draw(axes)
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # Leave out what a page sets itself (sizes; the style would hold for the whole page), and XML.
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    prefix = re.sub(r"\W+", "-", label)
    text = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)


def finish(axes: Any, title: str, x: str = "", y: str = "") -> None:
    """Set the title and labels of axes, and add a legend if something has a label."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8.5, frameon=False, labelcolor=INK)


def draw_curve(
    axes: Any, history: list[dict[str, Any]], name: str, best: int | None, *, bare: bool = False
) -> None:
    """Draw a column of the history, training and validation, by epoch.

    The best epoch and the start of the main phase are marked.

    Args:
        axes: Axes of matplotlib.
        history: One record per epoch.
        name: Name of the column.
        best: Best epoch, counted from 1; None if unknown.
        bare: Whether to leave out title and legend, for a page that has them.
    """
    epochs = [row["epoch"] for row in history]
    for label, key, color in (
        ("training", name, TRAIN),
        ("validation", f"val_{name}", VALIDATION),
    ):
        draw_column(axes, history, key, color=color, label=label)
    for index in range(1, len(history)):
        if history[index]["phase"] != history[index - 1]["phase"]:
            axes.axvline(epochs[index] - 0.5, color=INK, lw=0.8, ls=":")
    if best is not None:
        axes.axvline(best, color=BEST, lw=1.2, ls="--", label="best epoch")
    if name in ("loss", "learning_rate", "penalty"):
        axes.set_ylim(bottom=0)  # else a flat curve looks like a steep one
    finish(axes, "" if bare else name.replace("_", " "), "epoch")
    if bare and axes.get_legend() is not None:
        axes.get_legend().remove()


def draw_column(axes: Any, history: list[dict[str, Any]], key: str, **style: Any) -> None:
    """Draw one column of a history by epoch, if it has any value."""
    values = [row.get(key) for row in history]
    if any(value is not None for value in values):
        numbers = [math.nan if value is None else value for value in values]
        axes.plot([row["epoch"] for row in history], numbers, marker="o", ms=3.5, lw=1.8, **style)
    axes.xaxis.get_major_locator().set_params(integer=True)


def draw_overlaid(axes: Any, histories: Mapping[str, list[dict[str, Any]]], name: str) -> None:
    """Draw a validation metric of several histories by epoch, each with its label."""
    for label, history in histories.items():
        draw_column(axes, history, f"val_{name}", label=label)
    finish(axes, f"validation {name}", "epoch")


def draw_calibration(axes: Any, points: Mapping[str, list[tuple[float, float, int]]]) -> None:
    """Draw accuracy by predicted probability; larger points stand for more predictions.

    Args:
        axes: Axes of matplotlib.
        points: Mean probability, accuracy and number of predictions in bins, by label.
    """
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":")
    for (label, bins), color in zip(points.items(), (TRAIN, BEST), strict=False):
        means, shares, counts = (np.array(column) for column in zip(*bins, strict=True))
        axes.plot(means, shares, color=color, lw=1.2, label=label if len(points) > 1 else None)
        axes.scatter(means, shares, s=20 + 180 * counts / counts.max(), color=color, zorder=3)
    axes.set_xlim(0, 1.04)
    axes.set_ylim(0, 1.06)
    finish(axes, "", "predicted probability", "accuracy")


def draw_predicted(axes: Any, predicted: np.ndarray, y: np.ndarray, unit: str = "") -> None:
    """Draw predicted against true values."""
    axes.scatter(y, predicted, s=14, alpha=0.55, color=TRAIN, linewidths=0)
    ends = [min(y.min(), predicted.min()), max(y.max(), predicted.max())]
    axes.plot(ends, ends, color=INK, lw=0.8, ls=":")
    finish(axes, "", _in_unit("true", unit), _in_unit("predicted", unit))


def draw_residuals(axes: Any, predicted: np.ndarray, y: np.ndarray, unit: str = "") -> None:
    """Draw the residuals of a regression."""
    axes.hist(predicted - y, bins=min(30, max(8, len(y) // 10)), color=TRAIN, alpha=0.85)
    axes.axvline(0, color=INK, lw=0.8, ls=":")
    axes.yaxis.get_major_locator().set_params(integer=True)
    finish(axes, "", _in_unit("predicted - true", unit), "examples")


def _in_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def draw_bars(axes: Any, values: dict[str, float]) -> None:
    """Draw horizontal bars with their values, the first on top."""
    places = range(len(values))[::-1]
    bars = axes.barh(places, list(values.values()), color=TRAIN, height=0.6)
    axes.bar_label(bars, [f"{value:.0%}" for value in values.values()], padding=3, color=INK,
                   fontsize=9)  # fmt: skip
    axes.set_yticks(places, list(values), fontsize=9)
    axes.set_xticks([])
    axes.set_xlim(0, 1.15 * max(values.values()))
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    finish(axes, "")
