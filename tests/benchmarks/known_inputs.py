"""How well `known_score` tells inputs of known classes from those of classes that were held out.

DATA is a folder as for `tests.benchmarks.accuracy`. A seed chooses the classes that the model never
sees: 20 of Banking77, two of clothing10. The score is the area under the ROC curve (AUROC) of the
test examples of the known classes against those of the held-out ones: 1 is perfect, 0.5 is chance.
Nothing is fitted on held-out classes. Beside it: maximum probability, and the other scores that
were considered (`known_alternatives.py`).

With `--json` results are written after every fit, and fits that are in the file are not made again.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.accuracy import MOBILENET
from tests.benchmarks.known_alternatives import alternatives
from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_of_series, series_parser
from tests.benchmarks.ways import take, timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@dataclass(frozen=True)
class Divided:
    """Data without some classes.

    Attributes:
        settings: Settings of the fit.
        unknown: Test inputs of the classes that were held out.
        held_out: Names of these classes.
    """

    settings: dict[str, Any]
    unknown: list[str]
    held_out: list[str]


def divide_texts(source: Path, made: Path, seed: int) -> Divided:
    """Writes Banking77 without 20 classes."""
    rows = {}
    for split in ("train", "test"):
        with open(source.with_name(f"{split}.csv"), newline="", encoding="utf-8") as file:
            rows[split] = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows["test"]})
    held_out = random.Random(seed).sample(names, 20)
    for split, all_rows in rows.items():
        with open(made / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(all_rows[0]))
            writer.writeheader()
            writer.writerows(row for row in all_rows if row["label"] not in held_out)
    unknown = [row["text"] for row in rows["test"] if row["label"] in held_out]
    return Divided({"dataset": str(made / "train.csv")}, unknown, sorted(held_out))


def divide_images(source: Path, made: Path, seed: int) -> Divided:
    """Copies clothing10 without two classes."""
    names = sorted(path.name for path in (source / "test").iterdir())
    held_out = random.Random(seed).sample(names, 2)
    for split in ("train", "validation", "test"):
        for name in (name for name in names if name not in held_out):
            shutil.copytree(source / split / name, made / split / name)
    unknown = [str(path) for name in held_out for path in (source / "test" / name).iterdir()]
    settings = {"dataset": str(made), "image_size": 128, "train_split": None, "test_split": None}
    return Divided(settings, sorted(unknown), sorted(held_out))


SETS: dict[str, tuple[str, str, Callable[[Path, Path, int], Divided]]] = {
    "banking77": ("minilm_tickets", "banking77/train.csv", divide_texts),
    "clothing10": ("efficientnet_pets", "clothing10-128", divide_images),
}


def measure(name: str, data: Path, seed: int, per_class: int, pairs: list[str]) -> dict[str, Any]:
    """Fits without some classes, and returns the AUROC of every score."""
    from kerasft.catalog import load_recipe
    from kerasft.data import load_recipe_data, prepare_inputs, read_inputs

    recipe_name, source, divide = SETS[name]
    recipe = load_recipe(recipe_name)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "divided"
        made.mkdir()
        divided = divide(Path(take(data / source, per_class, seed, Path(folder))), made, seed)
        settings = {**divided.settings, **read_values(recipe, pairs)}
        if name == "clothing10":
            settings = {"preset": str(data / MOBILENET), **settings}
        config = recipe.Config(seed=seed, **settings)
        examples = load_recipe_data(recipe, config)
        run, seconds = timed_fit(recipe, config, examples, folder)
        unknown = prepare_inputs(config, read_inputs(config, divided.unknown))
        found = compare(run, examples, unknown)
        found["accuracy"] = run.metrics["test"]["accuracy"]
    return {"held_out": divided.held_out, "seconds": seconds, **found}


def compare(run: Any, data: Any, unknown: Any) -> dict[str, Any]:
    """Returns the AUROC of every score, and how many inputs are called known."""
    import numpy as np
    from scipy.special import softmax
    from sklearn.metrics import roc_auc_score

    import kerasft
    from kerasft.calibration.known import score_parts
    from kerasft.evaluation.predict import predict_arrays
    from kerasft.models import with_features

    loaded = kerasft.load_model(run)
    known, model = loaded.calibration.known, with_features(loaded.model)
    train, test, other = (predict_arrays(model, x)[1] for x in (data.train.x, data.test.x, unknown))
    kernel, bias = loaded.model.get_layer("head").get_weights()

    def parts(x: Any) -> list[Any]:
        given = score_parts(known.arrays, x, softmax(x @ kernel + bias, axis=1))
        standard = zip(given, known.arrays["location"], known.arrays["scale"], strict=True)
        return [(np.asarray(part) - location) / scale for part, location, scale in standard]

    scores = {
        "known_score": lambda x: sum(parts(x)),
        "nearest example and relative distance": lambda x: sum(parts(x)[:2]),
        "nearest example and entropy": lambda x: parts(x)[0] + parts(x)[2],
        "nearest example, of the score": lambda x: parts(x)[0],
        "relative distance, of the score": lambda x: parts(x)[1],
        **alternatives(train, data.train.y, kernel, bias),
    }
    truth = np.repeat([1, 0], [len(test), len(other)])
    both = np.concatenate([test, other])
    called = sum(parts(both)) >= known.threshold
    return {
        "auroc": {n: float(roc_auc_score(truth, np.asarray(s(both)))) for n, s in scores.items()},
        "called_known": [float(called[truth == 1].mean()), float(called[truth == 0].mean())],
        "examples": [len(test), len(other)],
    }


def show(found: list[dict[str, Any]]) -> None:
    """Prints a table for every set."""
    for name in SETS:
        fits = [fit for fit in found if fit["set"] == name]
        if not fits:
            continue
        print(f"\n{name}: AUROC\n| score | mean | each seed |\n|---|---|---|")
        for score in fits[0]["auroc"]:
            each = [fit["auroc"][score] for fit in fits]
            shown = ", ".join(f"{value:.3f}" for value in each)
            print(f"| {score} | {statistics.fmean(each):.3f} | {shown} |")
        for number, kind in enumerate(("test", "held-out")):
            each = [fit["called_known"][number] for fit in fits]
            print(f"{kind} inputs called known: {', '.join(f'{value:.1%}' for value in each)}")
        print("test accuracy:", ", ".join(f"{fit['accuracy']:.3f}" for fit in fits))


def main() -> None:
    """Makes the fits that are missing and prints the tables."""
    parser = series_parser(__doc__, only=",".join(SETS), seeds="0,1,2")
    parser.add_argument("--per-class", type=int, default=0, help="training examples (0: all)")
    a = parser.parse_args()
    show(
        fits_of_series(
            a,
            a.only.split(","),
            lambda name, seed: measure(name, a.data, seed, a.per_class, a.set),
        )
    )


if __name__ == "__main__":
    main()
