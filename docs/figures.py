"""Make the figures of docs/pages/concepts/settings.md from real fits.

    python docs/figures.py             # about three minutes on one core, no network
    python docs/figures.py overfitting

Every figure is one or more fits of the recipe `resnet_digits`, whose curves are drawn from
`history.csv`. The SVG files are committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import kerasft
from kerasft.recipes import resnet_digits as recipe

FOLDER = Path(__file__).parent / "pages" / "assets" / "figures"
# A linear probe on frozen features, which are cached: its curves have the same shapes.
SHORT: dict[str, Any] = {
    "epochs": 10, "head_epochs": 0, "trainable_blocks": 0, "learning_rate": 1e-2, "patience": 0,
    "head_start": "random", "augmentation": "none",
    "validation_fraction": 0.2, "test_fraction": 0.4,
}  # fmt: skip
# Few training examples, and the backbone trained.
FEW = {
    "validation_fraction": 0.4, "test_fraction": 0.4, "trainable_blocks": 1, "learning_rate": 1e-3,
}  # fmt: skip
FIGURES: dict[str, dict[str, dict[str, Any]]] = {
    "learning-rate": {
        "too low: 1e-4": {"learning_rate": 1e-4},
        "about right: 1e-2": {"learning_rate": 1e-2},
        "too high: 3": {"learning_rate": 3.0},
    },
    "batch-size": {
        "8 examples": {"batch_size": 8, "learning_rate": 1e-3},
        "32 examples": {"batch_size": 32, "learning_rate": 1e-3},
        "256 examples": {"batch_size": 256, "learning_rate": 1e-3},
    },
    "epochs": {
        "2 epochs": {"epochs": 2, "learning_rate": 1e-3},
        "10 epochs": {"learning_rate": 1e-3},
        "40 epochs": {"epochs": 40, "learning_rate": 1e-3},
    },
    "optimizer": {
        "AdamW, rate 1e-2": {},
        "SGD, rate 1e-2": {"optimizer": "sgd"},
        "SGD, rate 0.3": {"optimizer": "sgd", "learning_rate": 0.3},
    },
    "penalty": {
        "kernel_l2 0": {},
        "kernel_l2 0.01": {"kernel_l2": 0.01},
        "kernel_l2 10: too strong": {"kernel_l2": 10.0},
    },
    "dropout": {
        "dropout 0": {**FEW, "dropout": 0.0},
        "dropout 0.5": {**FEW, "dropout": 0.5},
        "dropout 0.95: too strong": {**FEW, "dropout": 0.95},
    },
    "depth": {
        "no block": {**FEW, "trainable_blocks": 0, "learning_rate": 1e-2},
        "1 block": FEW,
        "all blocks": {**FEW, "trainable_blocks": -1},
    },
}
TRAIN, VALIDATION = "#4053d3", "#b8860b"


def fit(settings: dict[str, Any], folder: str) -> list[dict[str, Any]]:
    """Return the history of a fit with these settings."""
    config = recipe.Config(**{**SHORT, **settings})
    return kerasft.fit(recipe, config, runs_dir=folder, progress=False).history


def draw(name: str, histories: dict[str, list[dict[str, Any]]]) -> None:
    """Draw the training and validation loss of several fits side by side."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "kerasft"  # equal files for equal curves
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(histories), figsize=(9, 2.6), sharey=True, layout="constrained"
    )
    for axes, (title, history) in zip(panels, histories.items(), strict=True):
        epochs = [row["epoch"] for row in history]
        axes.plot(epochs, [row["loss"] for row in history], color=TRAIN, label="training")
        losses = [row["val_loss"] for row in history]
        axes.plot(epochs, losses, color=VALIDATION, label="validation", linestyle="--")
        axes.set(title=title, xlabel="epoch", yscale="log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def make(names: list[str]) -> None:
    """Make the figures of these names."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            fits = FIGURES[name].items()
            draw(name, {title: fit(settings, folder) for title, settings in fits})
        print(f"{name}.svg", flush=True)


if __name__ == "__main__":
    make(sys.argv[1:] or list(FIGURES))
