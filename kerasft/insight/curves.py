"""Learning curves of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kerasft.errors import DataError
from kerasft.formatting import run_name
from kerasft.insight import charts
from kerasft.runs import Run, load_run
from kerasft.tasks import compared_metric, task_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_curves(run: Run | str | Path, path: str | Path | None = None) -> Figure:
    """Draw the curves of a run: data loss, scores, learning rate by epoch.

    The best epoch and the start of the main phase are marked.

    Args:
        run: A run with an epoch, or its folder or name as in `load_run`.
        path: PNG file to write too; none by default.

    Returns:
        Figure of matplotlib, which a notebook shows.

    Raises:
        SettingError: The run was not found.
        DataError: No epoch of the run has ended.

    Example:
        >>> kerasft.plot_curves("latest", "curves.png")
    """
    run = load_run(run)
    history = run.history
    if not history:
        raise DataError(f"No epoch of {run.path} has ended. Wait for one, or fit again.")
    task = task_of(run.labels["task"])
    monitored = compared_metric(task, run.config.get("monitor"))
    scores = list(dict.fromkeys((*task.main_metrics, monitored)))
    names = ["loss", *[name for name in scores if name in history[0]], "learning_rate"]
    figure, grid = charts.grid(1, len(names), 3.6, 3.2)
    for axes, name in zip(grid, names, strict=True):
        charts.draw_curve(axes, history, name, run.manifest.get("best_epoch"))
    test = run.metrics.get("test", {})
    shown = [f"{name} {test[name]:.4g}" for name in scores if test.get(name) is not None]
    figure.suptitle(
        f"{run.recipe}/{run.name}" + (f"   test: {', '.join(shown)}" if shown else ""), fontsize=10
    )
    if path is not None:
        charts.as_png(figure, Path(path))
    return cast("Figure", figure)


def plot_overlaid(runs: Sequence[Run], path: str | Path, score: str) -> None:
    """Draw the validation loss and a score of several runs in the same axes, as PNG."""
    names = list(dict.fromkeys(("loss", score)))
    figure, grid = charts.grid(1, len(names), 4.8, 3.8)
    histories = {run_name(run.path): run.history for run in runs}
    for axes, name in zip(grid, names, strict=True):
        charts.draw_overlaid(axes, histories, name)
    charts.as_png(figure, Path(path))
