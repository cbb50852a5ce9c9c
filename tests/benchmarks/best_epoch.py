"""Which epoch to choose? Test accuracy and log loss of the epochs that several rules choose.

Each fit records the validation and the test split after every epoch, so every rule chooses among
the same epochs of the same fit. `--dataset banking77/train.csv` has test.csv beside it; `--rows`
draws so many of its training rows anew for every seed, and `--test-rows` test rows once. A folder
with train, validation and test is used as it is. Rules: the best metric (ties by loss), the lowest
loss, and the lowest loss within so many binomial standard errors of the best metric.

With `--json` fits are written as they end, and fits in the file are not made again.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

Epochs = list[dict[str, Any]]


def draw(dataset: Path, rows: int, test_rows: int, seed: int, folder: Path) -> str:
    """Writes a part of a table and of test.csv beside it, and returns the path of the former."""
    if dataset.is_dir():
        return str(dataset)
    made = folder / str(seed)
    made.mkdir()
    for name, count, by in (("train.csv", rows, seed), ("test.csv", test_rows, 0)):
        with open(dataset.parent / name, newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        random.Random(by).shuffle(found)
        with open(made / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found[: count or None])
    return str(made / "train.csv")


def measured_fit(recipe: str, settings: dict[str, Any], folder: str) -> Epochs:
    """Fits, and returns accuracy and loss of validation and test after every epoch."""
    import keras
    import numpy as np

    import kerasft
    from kerasft.catalog import load_recipe
    from kerasft.data import load_recipe_data
    from kerasft.evaluation.metrics import measure
    from kerasft.evaluation.predict import predict_arrays

    module = load_recipe(recipe)
    # The callback predicts with the whole model, not with the tail behind cached features.
    config = module.Config(**settings, cache=False, patience=0)
    data, epochs = load_recipe_data(module, config), []

    class Measure(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            found: dict[str, Any] = {"monitor": (logs or {})["val_accuracy"]}
            for name in ("validation", "test"):
                part = getattr(data, name)
                outputs = predict_arrays(self.model, part.x, config.batch_size)
                scores = measure(config, data.labels, part.y, outputs)
                right = np.argmax(outputs, axis=1) == part.y
                found |= {f"{name}_accuracy": scores["accuracy"], f"{name}_loss": scores["loss"],
                          f"{name}_right": "".join(map(str, right.astype(int)))}  # fmt: skip
            epochs.append(found)
            print({k: round(v, 4) for k, v in found.items() if not isinstance(v, str)}, flush=True)

    kerasft.fit(module, config, runs_dir=folder, progress=False, data=data, callbacks=[Measure()])
    return epochs


def choose(epochs: Epochs, errors: float) -> int:
    """Returns the epoch of the lowest loss within so many standard errors of the best accuracy."""
    best = max(each["validation_accuracy"] for each in epochs)
    examples = len(epochs[0]["validation_right"])
    least = best - errors * (best * (1 - best) / examples) ** 0.5
    eligible = [n for n, each in enumerate(epochs) if each["validation_accuracy"] >= least]
    return min(eligible, key=lambda n: epochs[n]["validation_loss"])


# Standard errors of the best accuracy.
RULES = {"metric": 0.0, "0.5 se": 0.5, "1 se": 1.0, "2 se": 2.0, "loss": math.inf}


def show(fits: dict[str, Epochs]) -> None:
    """Prints what every rule chose, and its mean test scores."""
    print("rule     test accuracy   test log loss   epochs")
    for name, errors in RULES.items():
        chosen = [(choose(epochs, errors), epochs) for epochs in fits.values()]
        accuracy = statistics.fmean(epochs[n]["test_accuracy"] for n, epochs in chosen)
        loss = statistics.fmean(epochs[n]["test_loss"] for n, epochs in chosen)
        which = ", ".join(f"{n + 1} of {len(epochs)}" for n, epochs in chosen)
        print(f"{name:<8} {accuracy:<15.4f} {loss:<15.4f} {which}")


def main() -> None:
    """Fits and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="minilm_tickets")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1024, help="training rows; 0: all")
    parser.add_argument("--test-rows", type=int, default=0, help="test rows; 0: all")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write all epochs")
    arguments = parser.parse_args()

    path = arguments.json
    fits = json.loads(path.read_text()) if path and path.exists() else {}
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            if str(seed) in fits:
                continue
            data = draw(arguments.dataset, arguments.rows, arguments.test_rows, seed, Path(folder))
            settings = {**arguments.settings, "dataset": data, "seed": seed}
            fits[str(seed)] = measured_fit(arguments.recipe, settings, folder)
        if path:
            path.write_text(json.dumps(fits))
    show(fits)


if __name__ == "__main__":
    main()
