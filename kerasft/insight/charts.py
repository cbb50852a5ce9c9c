"""Charts of a report as SVG that takes the colours of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

_INK = "#010203"  # replaced by the colour of the page's text
TRAIN, VALIDATION = "#3b82c4", "#e07b39"


def canvas(width: float = 4.6, height: float = 3.0) -> tuple[Any, Any]:
    """Returns a figure and its axes in the report's style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(alpha=0.2, color=_INK)
    return figure, axes


def svg(figure: Any, label: str) -> str:
    """Returns a figure as inline SVG, with a label for those who cannot see it."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # What the page need not carry: the sizes (the style gives them) and names of vocabularies.
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    # Identifiers are unique in a document: several charts stand in one.
    prefix = re.sub(r"\W+", "-", label)
    text = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def finish(axes: Any, title: str, x: str = "", y: str = "") -> None:
    """Gives axes their title and names, and a legend where something has a label."""
    axes.set_title(title, fontsize=9.5, color=_INK, loc="left")
    axes.set_xlabel(x, fontsize=8.5, color=_INK)
    axes.set_ylabel(y, fontsize=8.5, color=_INK)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, frameon=False, labelcolor=_INK)


def curve(history: list[dict[str, Any]], name: str, best: int | None) -> str:
    """Draws a column of the history, training and validation, by epoch."""
    figure, axes = canvas()
    epochs = [row["epoch"] for row in history]
    for label, key, colour in (
        ("training", name, TRAIN),
        ("validation", f"val_{name}", VALIDATION),
    ):
        values = [row.get(key) for row in history]
        if any(value is not None for value in values):
            numbers = [float("nan") if v is None else v for v in values]
            axes.plot(epochs, numbers, color=colour, label=label, marker="o", ms=3)
    for index in range(1, len(history)):
        if history[index]["phase"] != history[index - 1]["phase"]:
            axes.axvline(epochs[index] - 0.5, color=_INK, lw=0.8, ls=":")
    if best is not None:
        axes.axvline(best, color="#2e9e6b", lw=1.2, ls="--", label="best epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if name == "learning_rate" and all(row.get(name, 0) > 0 for row in history):
        axes.set_yscale("log")
    finish(axes, name.replace("_", " "), "epoch")
    return svg(figure, f"{name} by epoch")


def confusion(matrix: list[list[int]], names: Sequence[str]) -> str:
    """Draws what is taken for what, rows being the truth."""
    counts = np.array(matrix, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(2.2 + 0.33 * len(names), 8.5)
    figure, axes = canvas(side + 0.6, side)
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    if len(names) <= 20:
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7.5)
        axes.set_yticks(range(len(names)), names, fontsize=7.5)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.55 else "#1d2329"
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=7,
                          color=colour)  # fmt: skip
    finish(axes, "confusion matrix", "predicted", "truth")
    return svg(figure, "confusion matrix")


def calibration(outputs: np.ndarray, y: np.ndarray) -> tuple[str, float]:
    """Draws how often a prediction of some probability is right; returns the mean gap too.

    The gap is the expected calibration error with ten bins (Guo et al. 2017, arXiv 1706.04599).
    """
    sure, right = outputs.max(axis=1), outputs.argmax(axis=1) == y
    bins = np.minimum((sure * 10).astype(int), 9)
    points = [(sure[bins == b].mean(), right[bins == b].mean(), int((bins == b).sum()))
              for b in range(10) if (bins == b).any()]  # fmt: skip
    error = sum(count * abs(mean - share) for mean, share, count in points) / len(y)
    figure, axes = canvas()
    axes.plot([0, 1], [0, 1], color=_INK, lw=0.8, ls=":")
    axes.plot([p[0] for p in points], [p[1] for p in points], color=TRAIN, marker="o", ms=4)
    for mean, share, count in points:
        axes.annotate(str(count), (mean, share), textcoords="offset points", xytext=(3, -9),
                      fontsize=7, color=_INK)  # fmt: skip
    finish(axes, "calibration", "probability of the prediction", "share that is right")
    return svg(figure, "calibration"), float(error)


def regression(outputs: np.ndarray, y: np.ndarray) -> tuple[str, str]:
    """Draws predicted against true values, and what is left over."""
    predicted = outputs[:, 0]
    figure, axes = canvas()
    axes.scatter(y, predicted, s=10, alpha=0.55, color=TRAIN, linewidths=0)
    ends = [min(y.min(), predicted.min()), max(y.max(), predicted.max())]
    axes.plot(ends, ends, color=_INK, lw=0.8, ls=":")
    finish(axes, "predicted by true value", "true", "predicted")
    left, axes_left = canvas()
    axes_left.hist(predicted - y, bins=min(30, max(8, len(y) // 10)), color=TRAIN, alpha=0.85)
    axes_left.axvline(0, color=_INK, lw=0.8, ls=":")
    finish(axes_left, "residuals", "predicted - true", "examples")
    return svg(figure, "predicted by true value"), svg(left, "residuals")


def bars(names: Sequence[str], values: Sequence[float], title: str) -> str:
    """Draws horizontal bars, the first on top."""
    figure, axes = canvas(4.6, 0.9 + 0.32 * len(names))
    axes.barh(range(len(names))[::-1], values, color=TRAIN)
    axes.set_yticks(range(len(names))[::-1], names, fontsize=8)
    finish(axes, title)
    return svg(figure, title)
