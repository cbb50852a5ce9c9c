"""Which epoch to choose? Test accuracy and log loss of the epochs that several rules choose.

Every rule chooses among the same epochs of the same fit; those that one chooses are measured.
`--dataset banking77/train.csv` has test.csv beside it; `--rows` draws so many of its training rows
anew for every seed, and `--test-rows` test rows once. A folder with train, validation and test is
used as it is. `--set` names a set of `wrong_labels.py` that is drawn from Banking77. Rules: the
best metric (ties by loss), the lowest loss, and the lowest loss within so many binomial standard
errors of the best metric. The log loss is that of the outputs, and as served: at the temperature
that is fitted on the validation split.

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
import types
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from tests.benchmarks.wrong_labels import SETS

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
    """Fits, and returns the epochs, with the scores of those that a rule chooses."""
    import keras

    import kerasft
    from kerasft.catalog import load_recipe
    from kerasft.data import load_recipe_data
    from kerasft.models import changing_weights

    module, made, epochs, weights = types.ModuleType(recipe), [], [], []
    module.__dict__.update(vars(load_recipe(recipe)))

    def build_model(config: Any, data: Any) -> keras.Model:
        made.append(load_recipe(recipe).build_model(config, data))
        return made[-1]

    class Snapshot(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            logs = logs or {}
            names = ("loss", "val_loss", "val_accuracy")
            epochs.append({name: float(logs[name]) for name in names})
            weights.append([variable.numpy() for variable in changing_weights(made[-1])])
            print({name: round(value, 4) for name, value in epochs[-1].items()}, flush=True)

    module.__dict__["build_model"] = build_model
    config = module.Config(**settings, patience=0)
    data = load_recipe_data(module, config)
    run = kerasft.fit(
        module, config, runs_dir=folder, progress=False, data=data, callbacks=[Snapshot()]
    )
    print("diagnosis:", *(found["name"] for found in run.diagnose()["findings"]), flush=True)
    epochs[0]["examples"] = len(data.validation)
    for chosen in {choose(epochs, errors) for errors in RULES.values()}:
        for variable, value in zip(changing_weights(made[-1]), weights[chosen], strict=True):
            variable.assign(value)
        epochs[chosen] |= scores(made[-1], data, config.batch_size)
    return epochs


def scores(model: Any, data: Any, batch_size: int) -> dict[str, Any]:
    """Returns accuracy and log loss of validation and test, and the temperature of the former."""
    import numpy as np

    from kerasft.calibration.reliability import class_losses
    from kerasft.calibration.temperature import at_temperature, fit_temperature
    from kerasft.evaluation.predict import predict_arrays

    found: dict[str, Any] = {}
    for name in ("validation", "test"):
        part = getattr(data, name)
        outputs = predict_arrays(model, part.x, batch_size)
        if name == "validation":
            found["temperature"] = fit_temperature(outputs, part.y)[0]
        served = class_losses(at_temperature(outputs, found["temperature"]), part.y)
        losses = class_losses(outputs, part.y)
        found |= {
            f"{name}_accuracy": float((np.argmax(outputs, axis=1) == part.y).mean()),
            f"{name}_loss": float(losses.mean()),
            f"{name}_served_loss": float(served.mean()),
            f"{name}_losses": [round(float(loss), 4) for loss in losses],
        }
    return found


def choose(epochs: Epochs, errors: float) -> int:
    """Returns the epoch of the lowest loss within so many standard errors of the best accuracy."""
    best = max(each["val_accuracy"] for each in epochs)
    least = best - errors * (best * (1 - best) / epochs[0]["examples"]) ** 0.5
    eligible = [n for n, each in enumerate(epochs) if each["val_accuracy"] >= least]
    return min(eligible, key=lambda n: epochs[n]["val_loss"])


# Standard errors of the best accuracy.
RULES = {"metric": 0.0, "0.5 se": 0.5, "1 se": 1.0, "2 se": 2.0, "loss": math.inf}


def show(fits: dict[str, Epochs]) -> None:
    """Prints what every rule chose, and its mean test scores."""
    print("rule     test accuracy   test log loss   as served   temperatures and epochs")
    for name, errors in RULES.items():
        chosen = [(choose(epochs, errors), epochs) for epochs in fits.values()]
        accuracy, loss, served = (
            statistics.fmean(epochs[n][f"test_{key}"] for n, epochs in chosen)
            for key in ("accuracy", "loss", "served_loss")
        )
        which = ", ".join(
            f"{epochs[n]['temperature']:.2f} at {n + 1} of {len(epochs)}" for n, epochs in chosen
        )
        print(f"{name:<8} {accuracy:<15.4f} {loss:<15.4f} {served:<11.4f} {which}")
    for seed, epochs in fits.items():
        print(f"seed {seed}: {rise(epochs)}")


def rise(epochs: Epochs) -> str:
    """Returns how far the validation loss of the best metric is above the lowest one."""
    best, lowest = (epochs[choose(epochs, errors)] for errors in (0.0, math.inf))
    pairs = zip(best["validation_losses"], lowest["validation_losses"], strict=True)
    differences = [one - other for one, other in pairs]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return (
        f"validation loss {best['validation_loss']:.4f}, {statistics.fmean(differences):.4f} "
        f"(standard error {error:.4f}) above the lowest"
    )


def main() -> None:
    """Fits and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="minilm_tickets")
    parser.add_argument("--dataset", type=Path, help="train.csv or a folder")
    parser.add_argument("--set", choices=SETS, help="with its settings")
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
            if arguments.set:
                data = SETS[arguments.set].write(arguments.dataset, seed, Path(folder))
            else:
                rows = arguments.rows, arguments.test_rows
                data = draw(arguments.dataset, *rows, seed, Path(folder))
            own = SETS[arguments.set].settings if arguments.set else {}
            settings = {**own, **arguments.settings, "dataset": data, "seed": seed}
            fits[str(seed)] = measured_fit(arguments.recipe, settings, folder)
        if path:
            path.write_text(json.dumps(fits))
    show(fits)


if __name__ == "__main__":
    main()
