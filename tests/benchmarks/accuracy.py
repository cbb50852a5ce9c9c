"""The accuracy that recipes reach on public data, with their own defaults, over several seeds.

DATA is a folder with `banking77/` (train.csv, test.csv), `clothing10-128/` (train, validation,
test), `houses-128-frontal/houses.csv`, `thucnews_titles/` (train.csv, test.csv),
`vocab/bert_chinese_vocab.txt`, and `kerashub_efficientnet_mnv2_100/`, a KerasHub preset of
MobileNetV2 1.0 with ImageNet weights. None of it is part of this project; rows whose data are
missing are left out, and say so.

With `--json` results are written after every fit, and fits that are in the file are not made again.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_of_series, series_parser
from tests.benchmarks.ways import take, timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

MOBILENET = "kerashub_efficientnet_mnv2_100"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        title: What is measured.
        target: Score to reach; None if it is only reported.
        recipe: Whose defaults are used.
        needs: What of DATA it reads, the dataset first.
        metric: Of the test split.
        settings: What is not the recipe's default, given the dataset, a folder for what is
            made, and the seed.
        spread: Whether the deviation over the seeds is what counts, in points.
    """

    title: str
    target: float | None
    recipe: str
    needs: tuple[str, ...]
    metric: str
    settings: Callable[[Path, Path, int], dict[str, Any]]
    spread: bool = False


def clothing(data: Path, made: Path, seed: int) -> dict[str, Any]:
    """Photographs, with a backbone that is no download."""
    return {"dataset": str(data), "preset": str(data.parent / MOBILENET),
            "train_split": None, "test_split": None}  # fmt: skip


def houses(data: Path, made: Path, seed: int) -> dict[str, Any]:
    """Prices, which are learned on a logarithmic scale."""
    return {"dataset": str(data), "preset": str(data.parent.parent / MOBILENET),
            "label_column": "price", "target_transform": "log"}  # fmt: skip


def titles(data: Path, made: Path, seed: int) -> dict[str, Any]:
    """Chinese headlines and a small BERT that was never pretrained."""
    words = (data.parent.parent / "vocab" / "bert_chinese_vocab.txt").read_text("utf-8").split("\n")
    preset = made / "chinese_bert"
    if not preset.exists():
        from keras_hub import models

        words = [word for word in words if word]
        tokenizer = models.BertTokenizer(vocabulary=words, lowercase=True)
        models.BertBackbone(
            vocabulary_size=len(words), num_layers=4, num_heads=4, hidden_dim=256,
            intermediate_dim=1024, max_sequence_length=64,
        ).save_to_preset(str(preset))  # fmt: skip
        models.BertTextClassifierPreprocessor(tokenizer).save_to_preset(str(preset))
    return {"dataset": str(data), "preset": str(preset), "pretrained": False,
            "trainable_blocks": -1, "head_epochs": 0, "epochs": 4,
            "sequence_length": 48}  # fmt: skip


def few(seed_of_draw: int | None) -> Callable[[Path, Path, int], dict[str, Any]]:
    """Eight examples a class, drawn anew for every seed or by one."""

    def settings(data: Path, made: Path, seed: int) -> dict[str, Any]:
        return {"dataset": take(data, 8, seed if seed_of_draw is None else seed_of_draw, made)}

    return settings


BANKING = ("banking77/train.csv",)
ROWS = {
    "banking77": Row("Banking77, all data", 0.925, "minilm_tickets", BANKING, "accuracy",
                     lambda data, made, seed: {"dataset": str(data)}),
    "banking77-8": Row("Banking77, 8 a class", 0.82, "minilm_tickets", BANKING, "accuracy",
                       few(None)),
    "clothing10": Row("clothing10, MobileNetV2 1.0", 0.90, "efficientnet_pets",
                      ("clothing10-128", MOBILENET), "accuracy", clothing),
    "houses": Row("houses, R2 of the logarithm of the price", 0.35, "mobilenet_elevation",
                  ("houses-128-frontal/houses.csv", MOBILENET), "r2_log", houses),
    "thucnews": Row("THUCNews titles, a small BERT with random weights", None, "minilm_tickets",
                    ("thucnews_titles/train.csv", "vocab/bert_chinese_vocab.txt"), "accuracy",
                    titles),
    "spread": Row("spread: Banking77, one draw of 8 a class", 0.01, "minilm_tickets", BANKING,
                  "accuracy", few(0), spread=True),
}  # fmt: skip


def measure(row: Row, data: Path, made: Path, seed: int, pairs: list[str]) -> dict[str, Any]:
    """Fits with one seed, and returns the scores of the test split and the time."""
    from kerasft.catalog import load_recipe

    recipe = load_recipe(row.recipe)
    settings = {**row.settings(data / row.needs[0], made, seed), **read_values(recipe, pairs)}
    run, seconds = timed_fit(recipe, recipe.Config(seed=seed, **settings), None, str(made / "runs"))
    scores = {k: v for k, v in run.metrics["test"].items() if isinstance(v, (int, float))}
    return {"test": scores, "seconds": seconds}


def reached(row: Row, fits: list[dict[str, Any]]) -> float:
    """Returns what counts of a row: the mean over its seeds, or the deviation."""
    scores = [fit["test"][row.metric] for fit in fits]
    return statistics.stdev(scores) if row.spread else statistics.fmean(scores)


def show(found: list[dict[str, Any]]) -> None:
    """Prints the table."""
    print("| set | seeds | test | each seed | target | seconds |\n|---|---|---|---|---|---|")
    for name, row in ROWS.items():
        fits = [one for one in found if one["row"] == name]
        if not fits:
            continue
        scores = [fit["test"][row.metric] for fit in fits]
        deviation = statistics.stdev(scores) if len(scores) > 1 else float("nan")
        shown = f"{reached(row, fits):.3f}" + ("" if row.spread else f" ± {deviation:.3f}")
        each = ", ".join(f"{score:.3f}" for score in scores)
        seconds = statistics.fmean(fit["seconds"] for fit in fits)
        target = row.target or "reported, no target"
        print(f"| {row.title} | {len(fits)} | {shown} | {each} | {target} | {seconds:.0f} |")


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    a = series_parser(__doc__, only=",".join(ROWS), seeds="0,1,2,3,4").parse_args()
    names = []
    for name in a.only.split(","):
        missing = [need for need in ROWS[name].needs if not (a.data / need).exists()]
        if missing:
            print(f"{name}: left out, there is no {missing[0]}", file=sys.stderr)
        else:
            names.append(name)
    with tempfile.TemporaryDirectory() as made:
        found = fits_of_series(
            a,
            names,
            lambda name, seed: measure(ROWS[name], a.data, Path(made), seed, a.set),
            key="row",
        )
    show(found)


if __name__ == "__main__":
    main()
