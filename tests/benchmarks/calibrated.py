"""Does what a fit calibrates on the validation split hold on the test split? Over several seeds.

Expected calibration error and log loss before and after, coverage and size of 90% prediction sets,
and macro F1 with thresholds of 0.5 and with fitted ones. The seed chooses the validation examples
of Banking77; clothing10 has its own validation split. `attributes` is a task with several labels
made from Banking77: the words of `WORDS` in the name of a message's intent.

DATA is a folder as for `tests.benchmarks.accuracy`. With `--json` results are written after every
fit, and fits that are in the file are not made again.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.accuracy import clothing
from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_of_series, series_parser
from tests.benchmarks.ways import take, timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

WORDS = (
    "account", "balance", "bank", "card", "cash", "charge", "charged", "cheque", "declined",
    "disposable", "exchange", "failed", "fee", "identity", "limits", "lost", "payment", "pending",
    "physical", "pin", "rate", "received", "refund", "reverted", "stolen", "support", "top",
    "transfer", "verify", "virtual", "withdrawal", "working", "wrong",
)  # fmt: skip
Settings = Callable[[Path, Path, int], dict[str, Any]]


def intents(data: Path, made: Path, seed: int) -> dict[str, Any]:
    """Messages of Banking77 and their intents."""
    return {"dataset": str(data)}


def attributes(data: Path, made: Path, seed: int) -> dict[str, Any]:
    """Messages of Banking77 and the words in the names of their intents."""
    folder = made / f"{data.parent.name}-words"
    folder.mkdir(exist_ok=True)
    for split in ("train", "test"):
        with open(data.with_name(f"{split}.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with open(folder / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in rows:
                words = sorted(set(row["label"].lower().split("_")) & set(WORDS))
                writer.writerow([row["text"], "|".join(words)])
    return {"dataset": str(folder / "train.csv"), "task": "multilabel", "label_separator": "|"}


SETS: dict[str, tuple[str, str, Settings]] = {
    "banking77": ("minilm_tickets", "banking77/train.csv", intents),
    "clothing10": ("efficientnet_pets", "clothing10-128", clothing),
    "attributes": ("minilm_tickets", "banking77/train.csv", attributes),
}
COLUMNS = {
    "calibration_error_before": "ECE before",
    "calibration_error": "after",
    "log_loss_before": "log loss before",
    "log_loss": "after",
    "set_coverage": "coverage of 90% sets",
    "set_size": "classes in a set",
    "f1_before": "macro F1 at 0.5",
    "f1": "with fitted thresholds",
}


def measure(a: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """Fits, and returns the scores of the test split before and after the calibration."""
    import numpy as np

    from kerasft.calibration.reliability import class_reliability, label_reliability
    from kerasft.catalog import load_recipe

    recipe_name, source, settings = SETS[name]
    recipe = load_recipe(recipe_name)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        data = Path(take(a.data / source, a.per_class, seed, made))
        values = {**settings(data, made, seed), **read_values(recipe, a.set)}
        run, seconds = timed_fit(recipe, recipe.Config(seed=seed, **values), None, folder)
        with np.load(run.path / "predictions.npz") as stored:
            y, outputs = stored["y_test"], stored["outputs_test"]
        test = run.metrics["test"]
    before = label_reliability(outputs, y) if y.ndim > 1 else class_reliability(outputs, y)
    found = {**test["calibrated"], **{f"{key}_before": value for key, value in before.items()}}
    if y.ndim > 1:
        found["f1_before"] = test["f1"]
    return {"test": found, "accuracy": test["accuracy"], "seconds": seconds}


def show(found: list[dict[str, Any]]) -> None:
    """Prints a table."""
    for name in SETS:
        fits = [fit for fit in found if fit["set"] == name]
        if not fits:
            continue
        accuracy = statistics.fmean(fit["accuracy"] for fit in fits)
        print(f"\n{name}, {len(fits)} seeds, accuracy {accuracy:.3f}")
        print("| | mean | each seed |\n|---|---|---|")
        for key, title in COLUMNS.items():
            if key in fits[0]["test"]:
                each = [fit["test"][key] for fit in fits]
                shown = ", ".join(f"{value:.3f}" for value in each)
                print(f"| {title} | {statistics.fmean(each):.3f} | {shown} |")


def main() -> None:
    """Makes the fits that are missing and prints the tables."""
    parser = series_parser(__doc__, only=",".join(SETS), seeds="0,1,2,3,4")
    parser.add_argument("--per-class", type=int, default=0, help="training examples (0: all)")
    a = parser.parse_args()
    show(fits_of_series(a, a.only.split(","), lambda name, seed: measure(a, name, seed)))


if __name__ == "__main__":
    main()
