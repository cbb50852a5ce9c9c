"""A plain `model.fit` on prepared arrays, beside kerasft with and without its cache.

All sides train the same recipe's model on the same arrays for the same epochs, with validation,
in one process, in turn. A time is that of the training: from the built model to its last epoch,
compiling and tracing included. `plain` freezes by `trainable`, compiles with the AdamW of Keras
and calls `fit` on arrays. `bare` is kerasft with `cache` off and without early stopping; `kept`
has the cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.plain import add_settings, read_settings

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

SIDES = ("plain", "bare", "kept")


def timed(side: str, recipe: Any, config: Any, data: Any) -> tuple[float, float]:
    """Trains in a fresh model; returns the seconds and the last val_loss."""
    import keras

    from tests.benchmarks.frozen_prefix import timed as timed_kerasft
    from tests.benchmarks.plain import compile_stock, longest_only

    if side != "plain":
        seconds, last = timed_kerasft(
            recipe, dataclasses.replace(config, cache=side == "kept"), data
        )
        return seconds, last["val_loss"]
    keras.utils.set_random_seed(config.seed)
    model = recipe.build_model(config, data)
    began = time.monotonic()
    compile_stock(model, config, data)
    history = model.fit(
        longest_only(data.train.x), data.train.y, batch_size=config.batch_size,
        epochs=config.epochs, verbose=0,
        validation_data=(longest_only(data.validation.x), data.validation.y),
    )  # fmt: skip
    return time.monotonic() - began, history.history["val_data_loss"][-1]


def main() -> None:
    """Measures all sides and prints the table."""
    from kerasft.data import load_recipe_data

    parser = argparse.ArgumentParser(description=__doc__)
    add_settings(parser, "resnet_digits", 5)
    parser.add_argument("--repeats", type=int, default=3, help="of all sides, in turn")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    recipe, config = read_settings(arguments)
    data = load_recipe_data(recipe, config)
    sides = arguments.sides.split(",")
    times: dict[str, list[float]] = {side: [] for side in sides}
    losses = {}
    for _ in range(arguments.repeats):
        for side in sides:
            seconds, losses[side] = timed(side, recipe, config, data)
            times[side].append(seconds)
    print(
        f"{arguments.recipe} {' '.join(arguments.set)}: {len(data.train)} examples, "
        f"{arguments.epochs} epochs, {platform.machine()}, {os.cpu_count()} cores"
    )
    print("side   seconds (least, most)   plain / side   last val_loss")
    plain = statistics.median(times.get("plain", [float("nan")]))
    for side, seconds in times.items():
        middle = statistics.median(seconds)
        print(
            f"{side:<6} {middle:7.1f} ({min(seconds):.1f}, {max(seconds):.1f}) "
            f"{plain / middle:15.2f} {losses[side]:15.4f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"times": times, "val_loss": losses}, indent=1))


if __name__ == "__main__":
    main()
