"""The curves of a run as one picture."""

from __future__ import annotations

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
