"""Does the advice for rare classes help? Recall of two thinned classes, with ways to weigh them.

DATA is a folder with `banking77/` (train, test), `clothing10-128/` (train, validation, test) and a
KerasHub preset of MobileNetV2 0.35 with ImageNet weights, `kerashub_efficientnet_mnv2_035/`. None
of it is part of this project. All classes get equally many training and validation examples, but
two get `--ratio` times fewer: others for every seed. The test split has equal classes.

With `--json` results are written after every fit, and fits that are in the file are not made again.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.head_start import PRESET
from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_in_folder, series_parser
from tests.benchmarks.ways import timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Intents that are taken for each other. A seed thins the next two of the list.
INTENTS = (
    "pending_transfer", "declined_transfer", "transfer_not_received_by_recipient",
    "failed_transfer", "transfer_timing", "beneficiary_not_allowed",
    "balance_not_updated_after_bank_transfer", "cancel_transfer", "transfer_into_account",
    "transfer_fee_charged",
)  # fmt: skip
GARMENTS = (
    "shirt", "outwear", "longsleeve", "dress", "t-shirt", "shorts", "pants", "shoes",
)  # fmt: skip
TEXTS = 112  # a class; 15% of them become the validation split
PHOTOGRAPHS = {"train": 160, "validation": 24, "test": 60}  # a class
WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "balanced": {"class_weight": "balanced"},
    "focal": {"loss": "focal"},
    "val_f1": {"monitor": "val_f1"},
    "balanced + val_f1": {"class_weight": "balanced", "monitor": "val_f1"},
    "focal + val_f1": {"loss": "focal", "monitor": "val_f1"},
    "balanced + focal": {"class_weight": "balanced", "loss": "focal"},
}


def thinned(classes: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """Returns the two classes that a seed makes rare."""
    first = 2 * seed % len(classes)
    return classes[first : first + 2]


def texts(data: Path, seed: int, ratio: float, made: Path) -> dict[str, Any]:
    """Writes messages of ten intents, and returns the settings of their fit."""
    draw, rare = random.Random(seed), thinned(INTENTS, seed)
    made.mkdir(exist_ok=True)
    for split in ("train", "test"):
        with open(data / "banking77" / f"{split}.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["label"] in INTENTS]
        draw.shuffle(rows)
        if split == "train":
            left = {name: round(TEXTS / ratio) if name in rare else TEXTS for name in INTENTS}
            rows = _take(rows, left)
        with open(made / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return {"dataset": str(made / "train.csv"), "trainable_blocks": 1}


def _take(rows: list[dict[str, str]], left: dict[str, int]) -> list[dict[str, str]]:
    """Returns the first rows of every class, as many as it may have."""
    seen: dict[str, int] = defaultdict(int)
    taken = []
    for row in rows:
        seen[row["label"]] += 1
        if seen[row["label"]] <= left[row["label"]]:
            taken.append(row)
    return taken


def photographs(data: Path, seed: int, ratio: float, made: Path) -> dict[str, Any]:
    """Copies photographs of eight garments, and returns the settings of their fit.

    Test photographs are those of the test split and of the training split that remain.
    """
    draw, rare, source = random.Random(seed), thinned(GARMENTS, seed), data / "clothing10-128"
    for kind in GARMENTS:
        part = {split: sorted((source / split / kind).iterdir()) for split in PHOTOGRAPHS}
        for pictures in part.values():
            draw.shuffle(pictures)
        part["test"] += part["train"][PHOTOGRAPHS["train"] :]
        for split, number in PHOTOGRAPHS.items():
            thin = kind in rare and split != "test"
            folder = made / split / kind
            folder.mkdir(parents=True, exist_ok=True)
            for n, picture in enumerate(part[split][: round(number / ratio) if thin else number]):
                shutil.copy(picture, folder / f"{n}{picture.suffix}")
    return {"dataset": str(made), "preset": str(data / PRESET), "image_size": 128,
            "train_split": None, "test_split": None, "augmentation": "none",
            "trainable_blocks": 1}  # fmt: skip


Prepare = Callable[[Path, int, float, Path], dict[str, Any]]
SETS: dict[str, tuple[str, tuple[str, ...], Prepare]] = {
    "banking77": ("minilm_tickets", INTENTS, texts),
    "clothing10": ("efficientnet_pets", GARMENTS, photographs),
}


def measure(name: str, seed: int, a: Any, made: Path) -> dict[str, Any]:
    """Fits, and returns test scores and whether the diagnosis names the rare classes."""
    from kerasft.catalog import load_recipe
    from kerasft.insight import diagnose

    chosen, way = name.split(": ")
    recipe_name, classes, prepare = SETS[chosen]
    recipe, rare = load_recipe(recipe_name), thinned(classes, seed)
    settings = prepare(a.data, seed, a.ratio, made / f"{chosen}-{seed}")
    settings |= {**read_values(recipe, a.set), **WAYS[way]}
    run, seconds = timed_fit(recipe, recipe.Config(seed=seed, **settings), None, str(made / "runs"))
    test = run.metrics["test"]
    recall = {row["name"]: row["recall"] for row in test["per_class"]}
    weights = {kind: 1 / a.ratio if kind in rare else 1 for kind in classes}
    share = sum(recall[kind] * weights[kind] for kind in classes) / sum(weights.values())
    return {
        "f1": test["f1"],
        "rare": statistics.fmean(recall[kind] for kind in rare),
        "others": statistics.fmean(recall[kind] for kind in classes if kind not in rare),
        "accuracy": test["accuracy"],
        "share": share,
        "log_loss": test["calibrated"]["log_loss"],
        "named": any(each["name"] == "imbalance" for each in diagnose(run)["findings"]),
        "seconds": seconds,
    }


COLUMNS = {
    "f1": "macro F1", "rare": "recall of the rare classes", "others": "recall of the others",
    "accuracy": "accuracy", "share": "accuracy with the shares of training",
    "log_loss": "log loss",
}  # fmt: skip


def show(found: list[dict[str, Any]], names: list[str]) -> None:
    """Prints a table: means, and the difference from the default ± its standard error."""
    print(f"| set: way | {' | '.join(COLUMNS.values())} | named |\n|{'---|' * (len(COLUMNS) + 2)}")
    for name in names:
        fits = {fit["seed"]: fit for fit in found if fit["set"] == name}
        usual = {f["seed"]: f for f in found if f["set"] == f"{name.split(': ')[0]}: default"}
        cells = [_cell(fits, usual, key) for key in COLUMNS]
        named = sum(fit["named"] for fit in fits.values())
        print(f"| {name} | {' | '.join(cells)} | {named} of {len(fits)} |")


def _cell(fits: dict[int, Any], usual: dict[int, Any], key: str) -> str:
    """Returns a mean, and its paired difference from the default."""
    mean = f"{statistics.fmean(fit[key] for fit in fits.values()):.3f}"
    gains = [fits[seed][key] - usual[seed][key] for seed in fits if seed in usual]
    if not any(gains) or len(gains) < 2:
        return mean
    error = statistics.stdev(gains) / len(gains) ** 0.5
    return f"{mean} ({statistics.fmean(gains):+.3f} ± {error:.3f})"


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    parser = series_parser(__doc__, only=",".join(SETS), seeds="0,1,2")
    parser.add_argument("--ratio", type=float, default=4.5, help="of the sizes of the classes")
    parser.add_argument("--ways", default=",".join(WAYS), help="with commas")
    a = parser.parse_args()
    names = [f"{chosen}: {way}" for chosen in a.only.split(",") for way in a.ways.split(",")]
    show(fits_in_folder(a, names, measure), names)


if __name__ == "__main__":
    main()
