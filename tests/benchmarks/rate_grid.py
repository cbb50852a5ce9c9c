"""Is the learning rate that `kerasft find-lr` suggests a good one? Beside a grid of real fits.

For every set the rate is found, and fits go through a grid of rates of the main phase, two to a
decade, from 1/100 of the suggestion to 100 times it (`--reach 1`: from 1/10 to 10 times), the
head phase with the rate that was found for it. Each is judged by its best epoch on the validation
split, the mean of the seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

FROM_RANDOM = {"head_epochs": 0, "head_start": "random", "epochs": 2}
# Few epochs, all of them trained: what a rate is worth shows before it no longer matters.
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "digits, top block": ("resnet_digits", {**FROM_RANDOM, "trainable_blocks": 1}),
    "digits, everything": ("resnet_digits", FROM_RANDOM),
    "tickets, head": ("minilm_tickets", {"trainable_blocks": 0, "head_epochs": 0, "epochs": 5}),
    "tickets, top block": ("minilm_tickets", {"trainable_blocks": 1, "epochs": 3}),
    "urgency, top block": ("minilm_urgency", {"trainable_blocks": 1, "epochs": 3}),
}


def score(run: Any) -> float:
    """Returns the best validation score: accuracy, or R2 for numbers."""
    if run.labels["task"] == "regression":
        return 1 - min(row["val_loss"] for row in run.history)  # in variances of the target
    return max(row["val_accuracy"] for row in run.history)


def fit(recipe: str, config: Any, folder: str) -> float:
    """Returns the score of a fit, -inf where it diverged."""
    import kerasft
    from kerasft.errors import DivergedError

    try:
        return score(kerasft.fit(recipe, config, runs_dir=folder, progress=False))
    except DivergedError:
        return -float("inf")


def examine(name: str, seeds: int, reach: int, folder: str) -> dict[str, Any]:
    """Finds the rate of a set, and fits with it and with a grid around it."""
    import kerasft
    from kerasft.catalog import load_recipe

    recipe, settings = SETS[name]
    config = load_recipe(recipe).Config(patience=0, head_start="random", **settings)
    began = time.monotonic()
    curves = {curve.phase: curve.valley for curve in kerasft.find_learning_rate(recipe, config)}
    seconds = time.monotonic() - began
    suggested = curves["main"]
    config = dataclasses.replace(
        config, head_learning_rate=curves.get("head", config.head_learning_rate)
    )
    scores = {}
    for step in range(-2 * reach, 2 * reach + 1):
        rate = float(f"{suggested * 10 ** (step / 2):.3g}")
        if rate <= 10:
            scores[rate] = statistics.fmean(
                fit(recipe, dataclasses.replace(config, learning_rate=rate, seed=seed), folder)
                for seed in range(seeds)
            )
    best = max(scores, key=lambda rate: scores[rate])
    return {"set": name, "suggested": suggested, "seconds": seconds, "best": best,
            "loses": scores[best] - scores[suggested], "scores": scores}  # fmt: skip


def main() -> None:
    """Examines all sets and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="parts of names of sets, with commas")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--reach", type=int, default=2, help="decades to each side")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()
    wanted = [part for part in arguments.only.split(",") if part]
    rows = []
    print("set                   suggested   best of grid   score    best    loses   found in")
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            if wanted and not any(part in name for part in wanted):
                continue
            row = examine(name, arguments.seeds, arguments.reach, folder)
            rows.append(row)
            scores = row["scores"]
            print(
                f"{name:<21} {row['suggested']:>9.2g}  {row['best']:>13.2g}  "
                f"{scores[row['suggested']]:>6.3f}  {scores[row['best']]:>6.3f}  "
                f"{row['loses']:>6.3f}  {row['seconds']:>7.0f} s",
                flush=True,
            )
    for row in rows:
        grid = ", ".join(f"{rate:.2g} {value:.3f}" for rate, value in row["scores"].items())
        print(f"  {row['set']}: {grid}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
