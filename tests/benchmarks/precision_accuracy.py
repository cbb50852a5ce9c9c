"""Does training in bfloat16 cost accuracy? Both number formats, the same seeds.

Prints the test accuracy of every seed in float32 and in mixed_bfloat16, the mean difference, and
its standard error over the seeds. `--dataset banking77/train.csv` with test.csv beside it has a
test split that is large enough to show differences of 0.3 points; `--per-class` draws so many
training examples of every class anew for every seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.ways import take

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

FORMATS = ("float32", "mixed_bfloat16")


def compare(arguments: argparse.Namespace) -> tuple[dict[str, list[float]], int]:
    """Fits, and returns the scores of either number format and the size of the test split."""
    import kerasft
    from kerasft.catalog import load_recipe

    base = load_recipe(arguments.recipe).Config(
        trainable_blocks=arguments.trainable_blocks, epochs=arguments.epochs, patience=0
    )
    found: dict[str, list[float]] = {name: [] for name in FORMATS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            if arguments.dataset:
                data = take(arguments.dataset, arguments.per_class, seed, Path(folder))
                base = dataclasses.replace(base, dataset=data)
            for name in FORMATS:
                config = dataclasses.replace(base, seed=seed, precision=name)
                run = kerasft.fit(arguments.recipe, config, runs_dir=folder, progress=False)
                test = run.metrics["test"]
                found[name].append(test["accuracy"])
                print(seed, name, test["accuracy"], file=sys.stderr, flush=True)
    return found, test["examples"]


def main() -> None:
    """Fits and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="minilm_tickets")
    parser.add_argument("--dataset", type=Path, help="a table instead of the recipe's data")
    parser.add_argument("--per-class", type=int, default=0, help="training examples; 0: all")
    parser.add_argument("--trainable-blocks", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    found, examples = compare(arguments)
    print(f"{arguments.recipe}, {arguments.seeds} seeds, {examples} test examples a seed")
    for name, scores in found.items():
        each = ", ".join(f"{score:.4f}" for score in scores)
        print(f"{name:<15} {statistics.fmean(scores):.4f} ({each})")
    differences = [half - full for full, half in zip(*found.values(), strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    print(f"difference      {100 * statistics.fmean(differences):+.2f} points, standard error "
          f"{100 * error:.2f}")  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
