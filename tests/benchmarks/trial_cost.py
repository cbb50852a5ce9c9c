"""What a trial of `kerasft tune` costs beyond its training steps, in seconds and in memory.

30 trials of one structure (learning rates) of 1 and of 3 epochs: the line through their times has
the seconds of an epoch as its slope and the fixed cost of a trial as its intercept. The first
trial, which loads, builds and traces, is reported apart.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np

from tests.benchmarks.search_cost import growth, watch

EPOCHS = (1, 3)


def summarize(
    arguments: argparse.Namespace, trials: list[Any], rows: list[tuple[int, float, float]]
) -> None:
    """Prints the line through the trials, and the memory."""
    seconds = np.array([trial.outcome["seconds"] for trial in trials])
    epochs = np.array([trial.outcome["epochs"] for trial in trials])
    slope, fixed = np.polyfit(epochs[1:], seconds[1:], 1)
    left = seconds[1:] - (fixed + slope * epochs[1:])
    print(
        f"{arguments.recipe}, trainable_blocks {arguments.trainable_blocks}, {len(trials)} trials, "
        f"{os.cpu_count()} cores"
    )
    print(f"first trial        {seconds[0]:6.2f} s")
    print(f"an epoch           {slope:6.2f} s")
    print(
        f"fixed cost a trial {fixed:6.2f} s (scatter of a trial around the line {left.std():.2f})"
    )
    print("memory after the first, middle and last trial: ", end="")
    print(", ".join(f"{rows[index][2]:.0f}" for index in (1, len(rows) // 2, -1)), "MB")
    print(f"growth, second half: {growth(rows, 1):.2f} MB a trial")
    if arguments.json:
        found = {"fixed": fixed, "epoch": slope, "growth": growth(rows, 1), "rows": rows}
        arguments.json.write_text(json.dumps(found, indent=1))


def main() -> None:
    """Runs the trials and prints the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="resnet_digits")
    parser.add_argument("--trainable-blocks", type=int, default=0)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    import kerasft
    from kerasft.catalog import load_recipe
    from kerasft.setting_declaration import settings

    recipe = load_recipe(arguments.recipe)
    config = recipe.Config(
        trainable_blocks=arguments.trainable_blocks, head_epochs=0, patience=0, epochs=EPOCHS[0],
        precision="float32", head_start="random",
    )  # fmt: skip
    rates = np.geomspace(1e-4, 1e-3, arguments.trials // len(EPOCHS)).tolist()
    config = dataclasses.replace(config, learning_rate=float(f"{rates[0]:.4g}"))
    grid = {"learning_rate": [f"{rate:.4g}" for rate in rates], "epochs": map(str, EPOCHS)}
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / arguments.recipe / "grid" / "journal.jsonl"

        def ended() -> int:
            return journal.read_text().count('"event": "end"') if journal.exists() else 0

        rows: list[tuple[int, float, float]] = []
        arguments_of_watch = (ended, rows, time.monotonic())
        threading.Thread(target=watch, args=arguments_of_watch, daemon=True).start()
        search = kerasft.tune(
            recipe,
            config,
            tuner="grid",
            space=[f"{name}={','.join(values)}" for name, values in grid.items()],
            fixed=[name for name in settings(config) if name not in grid],
            searches_dir=folder,
            name="grid",
            progress=False,
        )
        time.sleep(0.3)
        trials = search.trials
    summarize(arguments, trials, rows)


if __name__ == "__main__":
    main()
