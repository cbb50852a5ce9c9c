"""Are pairs of texts better read together or in two towers? Beside the untrained cosine.

Pairs of Banking77: 1 for two texts of one intent, 0 for texts of two, half of each, at random.
Training pairs are made of training texts, test pairs of test texts. Each mode is fitted by the
defaults of `minilm_tickets`, with 0 and 1 as classes and as numbers. Scores are of the test pairs:
the area under the ROC curve, Spearman's correlation (for 0 and 1 it is a function of that area),
and the share of correct decisions (of numbers and of the cosine, with the threshold that is best on
the training pairs).

    python -m tests.benchmarks.pairs --data DATA                    # DATA/banking77/train.csv
"""

from __future__ import annotations

import csv
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_of_series, series_parser
from tests.benchmarks.ways import timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

TASKS = {"classes": "classification", "numbers": "regression"}
WAYS = ("cosine", *(f"{kind} {mode}" for kind in TASKS for mode in ("cross", "towers")))

Pair = tuple[str, str]


def make_pairs(table: Path, count: int, seed: int) -> tuple[list[Pair], list[int]]:
    """Returns pairs of the texts of a table, and whether both have one label."""
    texts: dict[str, list[str]] = defaultdict(list)
    with open(table, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            texts[row["label"]].append(row["text"])
    draw, names = random.Random(seed), sorted(texts)
    found: list[Pair] = []
    for index in range(count):
        if index % 2:
            one, other = draw.sample(texts[draw.choice(names)], 2)
        else:
            one, other = (draw.choice(texts[name]) for name in draw.sample(names, 2))
        found.append((one, other))
    return found, [index % 2 for index in range(count)]


def write(path: Path, pairs: list[Pair], y: list[int]) -> None:
    """Writes pairs as a table."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["first", "second", "label"])
        writer.writerows((*pair, label) for pair, label in zip(pairs, y, strict=True))


def scorer(way: str, config: Any, folder: str) -> tuple[Callable[[Any], Any], float]:
    """Returns the function from prepared pairs to their scores, and the seconds of the fit."""
    import keras

    import kerasft
    from kerasft.evaluation.predict import predict_arrays

    if way == "cosine":
        model, seconds = keras.Model(*kerasft.features(kerasft.load_backbone(config), config)), 0.0
        return lambda x: predict_arrays(model, x).sum(axis=1), seconds
    run, seconds = timed_fit(kerasft.load_recipe("minilm_tickets"), config, None, folder)
    model = kerasft.load_model(run).model
    return lambda x: predict_arrays(model, x)[:, -1], seconds


def best_threshold(y: Any, scores: Any) -> float:
    """Returns the score above which the most labels are 1."""
    import numpy as np

    return float(max(np.unique(scores), key=lambda limit: ((scores >= limit) == y).mean()))


def measure(way: str, seed: int, data: Path, count: int, given: list[str]) -> dict[str, Any]:
    """Fits one way with one draw of pairs and returns its scores on the test pairs."""
    import numpy as np
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    import kerasft
    from kerasft.data import Examples, prepare_inputs

    recipe = kerasft.load_recipe("minilm_tickets")
    kind, _, mode = way.partition(" ")
    values = {"sequence_length": 64, "epochs": 3, "task": TASKS.get(kind, "regression"),
              "pair_mode": mode or "towers", **read_values(recipe, given)}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        parts = {}
        for name in ("train", "test"):
            parts[name] = make_pairs(data / "banking77" / f"{name}.csv", count, seed)
            write(Path(folder) / f"{name}.csv", *parts[name])
        config = recipe.Config(
            dataset=kerasft.Dataset(
                f"{folder}/train.csv", text="first", text_pair="second", label="label"
            ),
            seed=seed, **values,
        )  # fmt: skip
        score, seconds = scorer(way, config, folder)
        found = {}
        for name, (pairs, _) in parts.items():
            inputs = Examples(list(pairs), None, [name] * len(pairs))
            found[name] = score(prepare_inputs(config, inputs))
    y = {name: np.array(labels) for name, (_, labels) in parts.items()}
    limit = 0.5 if kind == "classes" else best_threshold(y["train"], found["train"])
    return {
        "auc": float(roc_auc_score(y["test"], found["test"])),
        "spearman": float(spearmanr(y["test"], found["test"]).statistic),
        "accuracy": float(((found["test"] >= limit) == y["test"]).mean()),
        "seconds": seconds,
    }


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    parser = series_parser(__doc__, only=",".join(WAYS), seeds="0,1,2")
    parser.add_argument("--pairs", type=int, default=1000, help="of training, and of testing")
    arguments = parser.parse_args()
    fits = fits_of_series(
        arguments,
        [way for way in WAYS if way in arguments.only.split(",")],
        lambda way, seed: measure(way, seed, arguments.data, arguments.pairs, arguments.set),
        key="way",
    )
    print(f"{'way':<16}{'ROC AUC':>16}{'Spearman':>16}{'accuracy':>16}{'seconds':>9}")
    for way in dict.fromkeys(fit["way"] for fit in fits):
        rows = [fit for fit in fits if fit["way"] == way]
        cells = ""
        for name in ("auc", "spearman", "accuracy"):
            values = [row[name] for row in rows]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells += f"{statistics.fmean(values):.3f}{spread}".rjust(16)
        print(f"{way:<16}{cells}{statistics.fmean(row['seconds'] for row in rows):>9.0f}")


if __name__ == "__main__":
    main()
