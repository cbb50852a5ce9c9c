"""Does a head phase that begins as a linear probe end better? Test accuracy with and without.

`--starts class_means` measures the mean directions of classes as the start.

DATA is a folder with `clothing10-128/` (train, validation, test), `banking77/` (train, test),
`fortunes/` (made by `tests.benchmarks.fortunes`) and a KerasHub preset of MobileNetV2 0.35 with
ImageNet weights, `kerashub_efficientnet_mnv2_035/`. None of it is part of this project. Every seed
draws other training examples: photographs with the shares of the classes, and so many texts of each
class. Digits and tickets are split anew.

With `--json` results are written after every fit, and fits that are in the file are not made again.
Seconds are those of the processor, since other programs may run on the same cores.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_in_folder, series_parser
from tests.benchmarks.ways import take, timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

PRESET = "kerashub_efficientnet_mnv2_035"


def photographs(number: int) -> Callable[[Path, int, Path], dict[str, Any]]:
    """Returns a function to the settings of a fit of so many training photographs."""

    def settings(data: Path, seed: int, made: Path) -> dict[str, Any]:
        folder, draw = made / f"{number}-{seed}", random.Random(seed)
        source = data / "clothing10-128"
        if not folder.exists():
            for split in ("validation", "test"):
                shutil.copytree(source / split, folder / split)
            every = sum(1 for _ in source.glob("train/*/*"))
            for kind in sorted((source / "train").iterdir()):
                pictures = sorted(kind.iterdir())
                (folder / "train" / kind.name).mkdir(parents=True)
                for picture in draw.sample(pictures, round(number * len(pictures) / every)):
                    shutil.copy(picture, folder / "train" / kind.name)
        return {"dataset": str(folder), "preset": str(data / PRESET), "image_size": 128,
                "train_split": None, "test_split": None}  # fmt: skip

    return settings


def texts(number: int, name: str = "banking77") -> Callable[[Path, int, Path], dict[str, Any]]:
    """Returns a function to the settings of a fit of so many texts of each class, or all (0)."""

    def settings(data: Path, seed: int, made: Path) -> dict[str, Any]:
        (made / name).mkdir(exist_ok=True)
        return {"dataset": take(data / name / "train.csv", number, seed, made / name)}

    return settings


SETS: dict[str, tuple[str, Callable[[Path, int, Path], dict[str, Any]]]] = {
    "clothing10-300": ("efficientnet_pets", photographs(300)),
    "clothing10-800": ("efficientnet_pets", photographs(800)),
    "clothing10-3068": ("efficientnet_pets", photographs(3068)),
    "digits": ("resnet_digits", lambda data, seed, made: {}),
    "banking77-8": ("minilm_tickets", texts(8)),
    "banking77-64": ("minilm_tickets", texts(64)),
    "fortunes-8": ("minilm_tickets", texts(8, "fortunes")),
    "fortunes-32": ("minilm_tickets", texts(32, "fortunes")),
    "fortunes-150": ("minilm_tickets", texts(0, "fortunes")),
    "tickets": ("minilm_tickets", lambda data, seed, made: {}),
}
STARTS = ("random", "linear")


def measure(name: str, seed: int, a: Namespace, made: Path) -> dict[str, Any]:
    """Fits, and returns the scores of the test split, and the validation accuracy by epoch."""
    from kerasft.catalog import load_recipe

    chosen, start, epochs = name.split()
    recipe_name, prepare = SETS[chosen]
    recipe = load_recipe(a.recipe or recipe_name)
    settings = {**prepare(a.data, seed, made), "head_start": start, **read_values(recipe, a.set)}
    if epochs != "recipe":
        settings["head_epochs"] = int(epochs)
    began = time.process_time()
    run, seconds = timed_fit(recipe, recipe.Config(seed=seed, **settings), None, str(made / "runs"))
    probe = run.manifest.get("linear_probe")
    return {
        "accuracy": run.metrics["test"]["accuracy"],
        "log_loss": run.metrics["test"]["calibrated"]["log_loss"],
        "validation": run.metrics["validation"]["accuracy"],
        "probe": probe and probe["accuracy"],
        "history": [round(row["val_accuracy"], 4) for row in run.history],
        "head": sum(row["phase"] == "head" for row in run.history),
        "wall": seconds,
        "seconds": round(time.process_time() - began, 1),
    }


def show(found: list[dict[str, Any]], names: list[str]) -> None:
    """Prints the table."""
    print("| set, start, head epochs | test accuracy (each seed) | log loss | validation: start, "
          "head phase, end | processor time |\n|---|---|---|---|---|")  # fmt: skip
    for name in names:
        fits = [fit for fit in found if fit["set"] == name]
        if not fits:
            continue
        scores = [fit["accuracy"] for fit in fits]
        spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
        each = ", ".join(f"{score:.3f}" for score in scores)
        probes = [fit["probe"] for fit in fits if fit["probe"] is not None]
        start = f"{statistics.fmean(probes):.3f}" if probes else "-"
        heads = [fit["history"][fit["head"] - 1] for fit in fits if fit["head"]]
        head = f"{statistics.fmean(heads):.3f}" if heads else "-"
        end = statistics.fmean(fit["validation"] for fit in fits)
        print(
            f"| {name} | {statistics.fmean(scores):.3f}{spread} ({each}) | "
            f"{statistics.fmean(fit['log_loss'] for fit in fits):.3f} | "
            f"{start}, {head}, {end:.3f} | "
            f"{statistics.fmean(fit['seconds'] for fit in fits):.0f} s |"
        )


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    parser = series_parser(__doc__, only=",".join(SETS), seeds="0,1,2")
    parser.add_argument("--head-epochs", default="2,1", help="with commas")
    parser.add_argument("--starts", default=",".join(STARTS), help="with commas")
    parser.add_argument("--recipe", help="settings of another recipe than the set's")
    a = parser.parse_args()
    names = [
        f"{chosen} {start} {epochs}"
        for chosen in a.only.split(",")
        for epochs in a.head_epochs.split(",")
        for start in a.starts.split(",")
    ]
    show(fits_in_folder(a, names, measure), names)


if __name__ == "__main__":
    main()
