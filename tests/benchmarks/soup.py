"""Is the average of several fits better than the best of them? Test scores of both.

For every draw of the data, fits with three seeds on the same splits, and their greedy average.
Data and DATA are those of `tests.benchmarks.head_start`.

    python -m tests.benchmarks.soup --data DATA --only banking77-8,clothing10-300 --seeds 0,1,2
"""

from __future__ import annotations

import os
import statistics
from argparse import Namespace
from pathlib import Path
from typing import Any

from tests.benchmarks.head_start import SETS
from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_in_folder, series_parser

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

FITS = 3
SPLITS = ("validation", "test")


def measure(name: str, seed: int, a: Namespace, made: Path) -> dict[str, Any]:
    """Fits and averages; returns the scores of every fit and of the average."""
    import kerasft
    from kerasft.catalog import load_recipe

    recipe_name, prepare = SETS[name]
    recipe = load_recipe(recipe_name)
    settings = {**prepare(a.data, seed, made), **read_values(recipe, a.set), "split_seed": seed}
    folder = {"runs_dir": made / "runs", "progress": False}
    runs = [
        kerasft.fit(recipe, recipe.Config(seed=FITS * seed + number, **settings), **folder)
        for number in range(FITS)
    ]
    soup = kerasft.average(runs, **folder)
    by_folder = {str(run.path): run for run in runs}
    offered = soup.manifest["soup"]
    return {
        "fits": [_scores(by_folder[one["run"]]) for one in offered],  # the best first
        "taken": sum(one["taken"] for one in offered),
        "soup": _scores(soup),
    }


def _scores(run: Any) -> dict[str, float]:
    return {split: run.metrics[split]["accuracy"] for split in SPLITS}


def show(found: list[dict[str, Any]], names: list[str]) -> None:
    """Prints the table."""
    print(
        "| set | best fit: validation, test | mean of the fits: test | average: validation, test "
        "| fits in it | gain on test (each draw) |\n|---|---|---|---|---|---|"
    )
    for name in names:
        draws = [one for one in found if one["set"] == name]
        if not draws:
            continue
        best, soups = ([one["fits"][0] for one in draws], [one["soup"] for one in draws])
        tests = [fit["test"] for one in draws for fit in one["fits"]]
        gains = [soup["test"] - fit["test"] for soup, fit in zip(soups, best, strict=True)]
        cells = [
            ", ".join(f"{statistics.fmean(one[split] for one in each):.3f}" for split in SPLITS)
            for each in (best, soups)
        ]
        print(
            f"| {name} | {cells[0]} | {statistics.fmean(tests):.3f} | {cells[1]} | "
            f"{', '.join(str(one['taken']) for one in draws)} of {FITS} | "
            f"{statistics.fmean(gains):+.3f} ({', '.join(f'{gain:+.3f}' for gain in gains)}) |"
        )


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    a = series_parser(__doc__, only="banking77-8,clothing10-300", seeds="0,1,2").parse_args()
    names = a.only.split(",")
    show(fits_in_folder(a, names, measure), names)


if __name__ == "__main__":
    main()
