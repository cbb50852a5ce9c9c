"""The curves of a run as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.runs import Run, atomic_path

_SCORES = ("accuracy", "f1", "precision", "recall", "r2", "rmse", "mae")
_COLOURS = {"train": "#3b6fb6", "validation": "#d1622b"}


def plot_curves(run: Run) -> None:
    """Draws `curves.png` in the run's folder: data loss, scores, learning rate by epoch.

    The best epoch and the start of the main phase are marked. A run without epochs has no
    picture.

    Args:
        run: A run with a history.
    """
    from matplotlib.figure import Figure

    history = run.history
    if not history:
        return
    task = run.labels["task"]
    names = ["loss", *[s for s in _shown(task) if s in history[0]], "learning_rate"]
    figure = Figure(figsize=(3.6 * len(names), 3.2), layout="constrained")
    best = run.manifest.get("best_epoch")
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        _draw(axes, history, name)
        for index in range(1, len(history)):
            if history[index]["phase"] != history[index - 1]["phase"]:
                axes.axvline(history[index]["epoch"] - 0.5, color="0.6", lw=1, ls=":")
        if best is not None:
            axes.axvline(best, color="0.35", lw=1, ls="--")
    test = run.metrics.get("test", {})
    shown = [f"{s} {test[s]:.4g}" for s in _shown(task) if test.get(s) is not None]
    figure.suptitle(
        f"{run.recipe}/{run.name}" + (f"   test: {', '.join(shown)}" if shown else ""), fontsize=10
    )
    with atomic_path(run.path / "curves.png") as temporary:
        figure.savefig(temporary, dpi=110)


def plot_overlaid(runs: Sequence[Run], path: str | Path) -> None:
    """Draws validation loss and score of several runs over each other as a PNG."""
    from matplotlib.figure import Figure

    name = _shown(runs[0].labels["task"])[0]
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    for axes, key in zip(figure.subplots(1, 2), ("val_loss", f"val_{name}"), strict=True):
        for run in runs:
            history = run.history
            values = [row.get(key) for row in history]
            shown = [float("nan") if value is None else value for value in values]
            epochs = [row["epoch"] for row in history]
            axes.plot(epochs, shown, marker="o", ms=3, label=f"{run.path.parent.name}/{run.name}")
        axes.set_title(key.replace("val_", "validation "), fontsize=10)
        axes.set_xlabel("epoch", fontsize=9)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _shown(task: str) -> tuple[str, ...]:
    return ("rmse", "r2") if task == "regression" else ("accuracy", "f1")


def _draw(axes: Any, history: list[dict[str, Any]], name: str) -> None:
    epochs = [row["epoch"] for row in history]
    axes.set_title(name.replace("_", " "), fontsize=10)
    axes.set_xlabel("epoch", fontsize=9)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    marker = "o" if len(epochs) < 15 else None
    for label, key in (("train", name), ("validation", f"val_{name}")):
        values = [row.get(key) for row in history]
        if any(value is not None for value in values):
            shown = [float("nan") if value is None else value for value in values]
            axes.plot(epochs, shown, color=_COLOURS[label], label=label, marker=marker, ms=3)
    if name == "learning_rate":
        axes.set_yscale("log" if all(row[name] > 0 for row in history) else "linear")
    else:
        axes.legend(fontsize=8, frameon=False)
