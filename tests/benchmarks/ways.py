"""Which way to tune, with how many examples a class? Each way the same data, epochs and seeds.

Texts: `--recipe minilm_tickets --dataset banking77/train.csv` (with test.csv beside it); images:
`--recipe efficientnet_pets --dataset FOLDER --preset PRESET`, with train, validation and test in it
or with classes. The rates of `WAYS` were set once by hand and tuned for no way; each fit is
judged by the test split, with the weights of its best epoch on the validation split.

With `--json` results are written after every fit, and fits that are in the file already are not
made again: two processes, one a core, may share the work by `--seeds`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# The rate of the main phase is `rate` of the recipe's kind times the number here.
WAYS: dict[str, dict[str, Any]] = {
    "feature extraction": {"trainable_blocks": 0, "head_epochs": 0, "rate": "head"},
    "last block": {"trainable_blocks": 1},
    "last 2 blocks": {"trainable_blocks": 2},
    "last 3 blocks": {"trainable_blocks": 3},
    "everything, no head phase": {"trainable_blocks": -1, "head_epochs": 0, "head_start": "random"},
    "head, then everything": {"trainable_blocks": -1},
    "gradual, 3 blocks": {"trainable_blocks": 3, "unfreeze_every": 1},
    "layer decay 0.8": {"trainable_blocks": -1, "layer_decay": 0.8, "rate": 2.0},
    "LoRA, rank 8": {"trainable_blocks": -1, "lora_rank": 8, "rate": 7.0},
    "L2-SP 0.01": {"trainable_blocks": -1, "pretrained_l2": 0.01, "weight_decay": 0.0},
}
# Of texts and of images.
RATES = {"minilm_tickets": (3e-4, 1e-2), "efficientnet_pets": (3e-4, 1e-2)}


def take(dataset: Path, per_class: int, seed: int, folder: Path) -> str:
    """Returns a dataset with so many training examples a class (0: all); its test split stays."""
    if not per_class:
        return str(dataset)
    made = folder / f"{per_class}-{seed}"
    if made.exists():
        return str(made / "train.csv") if dataset.is_file() else str(made)
    draw = random.Random(seed)
    made.mkdir()
    if dataset.is_file():
        with open(dataset, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        draw.shuffle(rows)
        seen: dict[str, int] = {}
        kept = []
        for row in rows:
            label = row.get("label") or row.get("category") or ""
            seen[label] = seen.get(label, 0) + 1
            if seen[label] <= per_class:
                kept.append(row)
        with open(made / "train.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(kept)
        (made / "test.csv").symlink_to((dataset.parent / "test.csv").resolve())
        return str(made / "train.csv")
    for split in ("validation", "test"):
        if (dataset / split).is_dir():
            shutil.copytree(dataset / split, made / split)  # links would leave the dataset
    source = dataset / "train" if (dataset / "train").is_dir() else dataset
    for kind in sorted(path for path in source.iterdir() if path.is_dir()):
        pictures = sorted(kind.iterdir())
        draw.shuffle(pictures)
        (made / "train" / kind.name).mkdir(parents=True)
        for picture in pictures[:per_class]:
            shutil.copy(picture, made / "train" / kind.name)
    return str(made)


def configure(recipe: Any, name: str, way: dict[str, Any], **common: Any) -> Any:
    """Returns the settings of a way."""
    main, head = RATES[name]
    settings = {"head_epochs": 1, "head_learning_rate": head, "patience": 0, **way}
    rate = settings.pop("rate", 1.0)
    settings["learning_rate"] = head if rate == "head" else main * rate
    return recipe.Config(**{**settings, **common})


def timed_fit(recipe: Any, config: Any, data: Any, folder: str) -> tuple[Any, float]:
    """Fits, and returns the run and its seconds, evaluation included."""
    import keras

    import kerasft

    began = time.monotonic()
    run = kerasft.fit(recipe, config, data=data, runs_dir=folder, progress=False)
    seconds = round(time.monotonic() - began, 1)
    keras.backend.clear_session()
    return run, seconds


def fit(recipe: Any, config: Any, data: Any, folder: str) -> dict[str, Any]:
    """Fits, and returns accuracy, seconds and trained parameters."""
    run, seconds = timed_fit(recipe, config, data, folder)
    return {
        "accuracy": run.metrics["test"]["accuracy"],
        "validation": run.metrics["validation"]["accuracy"],
        "seconds": seconds,
        "trained": sum(block["trained_parameters"] for block in run.manifest["blocks"]),
        "all": sum(block["parameters"] for block in run.manifest["blocks"]),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Prints a table for every size."""
    for size in sorted({row["per_class"] for row in rows}, key=lambda n: n or 10**9):
        print(f"\n{size or 'all'} a class    accuracy (each seed)    seconds    trained")
        for way in WAYS:
            chosen = [row for row in rows if row["way"] == way and row["per_class"] == size]
            if not chosen:
                continue
            scores = [row["accuracy"] for row in chosen]
            spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
            each = ", ".join(f"{score:.3f}" for score in scores)
            print(
                f"{way:<26} {statistics.fmean(scores):.3f}{spread} ({each})  "
                f"{statistics.fmean(row['seconds'] for row in chosen):>6.0f}  "
                f"{chosen[0]['trained'] / chosen[0]['all']:.1%} = {chosen[0]['trained']:,}"
            )


def load(path: Path | None) -> list[dict[str, Any]]:
    """Returns the fits that were made already."""
    return json.loads(path.read_text()) if path and path.exists() else []


def main() -> None:
    """Makes the fits that are missing and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="minilm_tickets", choices=sorted(RATES))
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--preset")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--per-class", default="8:8,64:4,0:3", help="examples a class:epochs, ...")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="parts of names of ways, with commas")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    from kerasft.catalog import load_recipe
    from kerasft.data import load_recipe_data

    recipe = load_recipe(arguments.recipe)
    common: dict[str, Any] = {}
    if arguments.preset:
        common["preset"] = arguments.preset
    if arguments.recipe == "efficientnet_pets":
        common |= {"image_size": arguments.image_size, "augmentation": "none",
                   "train_split": None, "test_split": None}  # fmt: skip
    wanted = [part for part in arguments.only.split(",") if part]
    rows = load(arguments.json)
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.per_class.split(","):
            count, epochs = map(int, size.split(":"))
            for seed in map(int, arguments.seeds.split(",")):
                data = None
                common["dataset"] = take(arguments.dataset, count, seed, Path(folder))
                for name, way in WAYS.items():
                    key = {"per_class": count, "seed": seed, "way": name, "epochs": epochs}
                    known = any(all(row[k] == v for k, v in key.items()) for row in rows)
                    if known or (wanted and not any(part in name for part in wanted)):
                        continue
                    config = configure(recipe, arguments.recipe, way, seed=seed, epochs=epochs,
                                       **common)  # fmt: skip
                    data = data or load_recipe_data(recipe, config)
                    rows.append({**key, **fit(recipe, config, data, folder)})
                    print(rows[-1], flush=True)
                    if arguments.json:
                        arguments.json.write_text(json.dumps(rows, indent=1))
    show(rows)


if __name__ == "__main__":
    main()
