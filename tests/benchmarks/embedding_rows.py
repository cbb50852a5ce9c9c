"""Embedding tables updated in the rows of a batch, as a whole, or not at all: accuracy and time.

Full fine-tuning of all-MiniLM-L6-v2 by the recipe minilm_tickets with every block trained, several
seeds of each way. `rows` is kerasft's optimizer, `dense` the AdamW of Keras, `frozen` the former
with the table of words frozen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

WAYS = ("rows", "dense", "frozen")


def measure(way: str, config: Any) -> tuple[float, float]:
    """Trains one way; returns the test accuracy and the seconds of the training."""
    import keras

    from kerasft.data import load_recipe_data
    from kerasft.evaluation.predict import predict_arrays
    from kerasft.models.blocks import flatten_layers
    from kerasft.recipes import minilm_tickets as recipe
    from kerasft.training.compiled_models import CompiledModels
    from kerasft.training.context import make_context
    from kerasft.training.loop import train
    from kerasft.training.optimizers import schedules as optimizers

    data = load_recipe_data(recipe, config)
    keras.utils.set_random_seed(config.seed)
    model = recipe.build_model(config, data)
    for layer in flatten_layers(model):
        if way == "frozen" and "embedding" in layer.name:
            layer.trainable = False
    ours = optimizers.FusedAdam
    if way == "dense":
        optimizers.FusedAdam = keras.optimizers.AdamW
    try:
        context = make_context(config, data, CompiledModels(model))
        began = time.monotonic()
        train(context)
        seconds = time.monotonic() - began
    finally:
        optimizers.FusedAdam = ours
    predicted = predict_arrays(model, data.test.x, 64).argmax(axis=1)
    return float((predicted == data.test.y).mean()), seconds


def main() -> None:
    """Measures all ways and seeds, in turn, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="builtin:tickets")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    from kerasft.recipes import minilm_tickets as recipe

    ways = arguments.ways.split(",")
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for seed in range(arguments.seeds):
        for way in ways:
            config = recipe.Config(
                dataset=arguments.dataset, seed=seed, trainable_blocks=-1, epochs=arguments.epochs
            )
            found[way].append(measure(way, config))
    print(
        f"{arguments.dataset}, {arguments.seeds} seeds, {arguments.epochs} epochs, "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
    print("way     test accuracy (each seed)            seconds")
    for way, rows in found.items():
        scores = [score for score, _ in rows]
        each = ", ".join(f"{score:.3f}" for score in scores)
        seconds = statistics.median(seconds for _, seconds in rows)
        print(f"{way:<7} {statistics.fmean(scores):.3f} ({each})  {seconds:10.0f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
