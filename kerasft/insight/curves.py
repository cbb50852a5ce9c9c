"""Learning curves of runs as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kerasft.insight import charts
from kerasft.runs import Run
from kerasft.tasks import task_of


def plot_curves(run: Run) -> None:
    """Draw `curves.png` in the run's folder: data loss, scores, learning rate by epoch.

    The best epoch and the start of the main phase are marked. Without epochs nothing is drawn.

    Args:
        run: A run with a history.
    """
    history = run.history
    if not history:
        return
    scores = task_of(run.labels["task"]).main_metrics
    names = ["loss", *[name for name in scores if name in history[0]], "learning_rate"]
    figure, grid = charts.grid(1, len(names), 3.6, 3.2)
    for axes, name in zip(grid, names, strict=True):
        charts.draw_curve(axes, history, name, run.manifest.get("best_epoch"))
    test = run.metrics.get("test", {})
    shown = [f"{name} {test[name]:.4g}" for name in scores if test.get(name) is not None]
    figure.suptitle(
        f"{run.recipe}/{run.name}" + (f"   test: {', '.join(shown)}" if shown else ""), fontsize=10
    )
    charts.as_png(figure, run.path / "curves.png")


def plot_overlaid(runs: Sequence[Run], path: str | Path) -> None:
    """Draw the validation loss and score of several runs in the same axes, as PNG."""
    score = task_of(runs[0].labels["task"]).main_metrics[0]
    figure, grid = charts.grid(1, 2, 4.8, 3.8)
    for axes, name in zip(grid, ("loss", score), strict=True):
        for run in runs:
            label = f"{run.path.parent.name}/{run.name}"
            charts.draw_column(axes, run.history, f"val_{name}", label=label)
        charts.finish(axes, f"validation {name}", "epoch")
    charts.as_png(figure, Path(path))
