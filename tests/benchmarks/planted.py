"""Does `kerasft diagnose` name the fault that was injected, and does its first advice help?

Real fits of the recipes of this project with one fault each: a learning rate 100 times too high or
too low, three examples a class, huge penalties, dropout 0.9, shuffled labels, one or two epochs,
classes 50 to 1, copies of training examples in the validation split, BatchNormalization on
batches of four, texts cut at eight tokens; and healthy ones. Thresholds were chosen on
`--set development` and looked over once on `--set held-out`, which are more fits with other seeds,
other numbers of trained blocks and another task; `--set held-out-2` was run once, afterwards, and
nothing was changed by it. The rates of `--set held-out-3` were run once after the advice on rates
had changed, and changed it and the rule for overfitting of numbers again; the healthy fits of
`--set held-out-4` were run after that. For every fault whose first advice is a setting a second
fit follows it, and the best validation scores of both are compared.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from tests.insight.injected_faults import ALSO, FAULTS, changed, fit, spoiled

# What a base changes; `per_class` is no setting: examples of a class in the training split.
BASES: dict[str, list[tuple[str, dict[str, Any], list[int]]]] = {
    "development": [
        ("resnet_digits", {"trainable_blocks": 1, "epochs": 6}, [0]),
        ("minilm_tickets", {"trainable_blocks": 1, "epochs": 5}, [0]),
    ],
    "held-out": [
        ("resnet_digits", {"trainable_blocks": 2, "epochs": 8}, [1, 2]),
        (
            "resnet_digits",
            {"trainable_blocks": 0, "head_epochs": 0, "epochs": 10, "learning_rate": 1e-2},
            [3],
        ),
        ("minilm_tickets", {"trainable_blocks": 2, "epochs": 4}, [1]),
        (
            "minilm_tickets",
            {"trainable_blocks": 0, "head_epochs": 0, "epochs": 12, "learning_rate": 1e-2},
            [2],
        ),
        ("minilm_urgency", {"trainable_blocks": 1, "epochs": 5}, [1]),
    ],
    "held-out-2": [
        ("resnet_digits", {"trainable_blocks": 2, "head_epochs": 1, "epochs": 5}, [11]),
        (
            "resnet_digits",
            {"trainable_blocks": 0, "head_epochs": 0, "epochs": 12, "learning_rate": 1e-2},
            [12],
        ),
        ("resnet_digits", {"trainable_blocks": -1, "epochs": 6, "batch_size": 16}, [13]),
        ("minilm_tickets", {"trainable_blocks": 1, "epochs": 6, "per_class": 100}, [11]),
        (
            "minilm_tickets",
            {
                "trainable_blocks": 0,
                "head_epochs": 0,
                "epochs": 15,
                "learning_rate": 5e-3,
                "per_class": 100,
            },
            [12],
        ),
        ("minilm_urgency", {"trainable_blocks": 2, "epochs": 5, "per_class": 100}, [13]),
    ],
    "held-out-3": [
        (
            "resnet_digits",
            {"trainable_blocks": 1, "head_epochs": 2, "epochs": 7, "batch_size": 64},
            [21],
        ),
        (
            "resnet_digits",
            {"trainable_blocks": 2, "epochs": 6, "learning_rate": 3e-4, "optimizer": "adam"},
            [22],
        ),
        ("minilm_tickets", {"trainable_blocks": 1, "epochs": 5, "per_class": 80}, [21]),
        (
            "minilm_tickets",
            {
                "trainable_blocks": 0,
                "head_epochs": 0,
                "epochs": 10,
                "learning_rate": 2e-2,
                "per_class": 120,
            },
            [22],
        ),
        ("minilm_urgency", {"trainable_blocks": 1, "epochs": 6, "per_class": 80}, [23]),
    ],
    "held-out-4": [
        ("resnet_digits", {"trainable_blocks": 1, "epochs": 8}, [31, 32]),
        ("minilm_tickets", {"trainable_blocks": 1, "epochs": 6, "per_class": 90}, [31]),
        ("minilm_urgency", {"trainable_blocks": 1, "epochs": 7, "per_class": 90}, [32]),
        ("minilm_urgency", {"trainable_blocks": 2, "epochs": 5, "per_class": 70}, [33]),
        (
            "minilm_urgency",
            {
                "trainable_blocks": 0,
                "head_epochs": 0,
                "epochs": 12,
                "learning_rate": 1e-2,
                "per_class": 90,
            },
            [34],
        ),
    ],
}
# Faults that a base cannot have: no BatchNormalization, no texts, no classes, nothing to freeze.
WITHOUT = {
    "resnet_digits": {"truncated"},
    "minilm_tickets": {"batch_norm"},
    "minilm_urgency": {"batch_norm", "imbalance"},
}


def best_score(run: Any) -> float:
    """Returns the best validation score of a run, more being better."""
    task = run.labels["task"]
    name, sign = ("val_loss", -1) if task == "regression" else ("val_accuracy", 1)
    if task == "classification" and run.config["monitor"] == "val_f1":
        return max(row["val_f1"] for row in run.history)
    return max((sign * row[name] for row in run.history if row.get(name) is not None),
               default=-float("inf"))  # fmt: skip


def examine(base: str, settings: dict[str, Any], seed: int, fault: str, folder: str) -> Any:
    """Plants a fault, diagnoses it, and follows the first advice."""
    from kerasft.catalog import load_recipe
    from kerasft.insight import diagnose

    recipe = load_recipe(base)
    planted = dict(FAULTS[fault])
    how = planted.pop("data", "")
    settings = {"head_start": "random", **settings}  # a linear probe is good before any step
    module = spoiled(recipe, how, seed, settings.pop("per_class", None))
    config = changed(changed(recipe.Config(seed=seed), settings), planted)
    run = fit(module, config, folder)
    found = diagnose(run)
    names = [finding["name"] for finding in found["findings"] if finding["fault"]]
    row = {"base": base, "settings": settings, "seed": seed, "planted": fault, "named": names,
           "before": best_score(run)}  # fmt: skip
    advice = found["findings"][0]["advice"] if names else []
    if fault != "healthy" and advice and advice[0]["changes"] and how not in ("shuffled", "leak"):
        again = fit(module, changed(config, advice[0]["changes"]), folder)
        if config.monitor != again.config["monitor"]:  # compared by what the advice watches
            row["before"] = max(r["val_f1"] for r in run.history)
        row |= {"after": best_score(again), "advice": advice[0]["changes"]}
    return row


def main() -> None:
    """Examines all and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=sorted(BASES), default="held-out")
    parser.add_argument("--only", default="", help="faults or recipes, with commas")
    parser.add_argument("--keep", type=Path, help="where to keep the runs")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()
    wanted = [part for part in arguments.only.split(",") if part]
    rows = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = str(arguments.keep or temporary)
        for base, settings, seeds in BASES[arguments.set]:
            for fault in FAULTS:
                if fault in WITHOUT[base] or (wanted and not {base, fault} & set(wanted)):
                    continue
                for seed in seeds:
                    row = examine(base, settings, seed, fault, folder)
                    rows.append(row)
                    print(json.dumps(row), file=sys.stderr, flush=True)
    _print(rows, arguments.set, time.monotonic() - began)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def _print(rows: list[dict[str, Any]], which: str, seconds: float) -> None:
    print(f"{which}: {len(rows)} fits with a planted fault or none, {seconds:.0f} s")
    print("planted                      fits  named first  named  first names")
    right = faults = false_positives = 0
    for fault in FAULTS:
        mine = [row for row in rows if row["planted"] == fault]
        name = fault.partition(" ")[0]
        good = {name, *ALSO.get(name, ())}
        first = sum(bool(row["named"]) and row["named"][0] in good for row in mine)
        anywhere = sum(bool(good & set(row["named"])) for row in mine)
        others = collections.Counter(row["named"][0] if row["named"] else "nothing" for row in mine)
        counts = ", ".join(f"{n} {count}" for n, count in others.most_common())
        if fault == "healthy":
            false_positives = sum(bool(row["named"]) for row in mine)
            print(f"{fault:<28} {len(mine):>4}  {'':>11}  {'':>5}  {counts}")
            continue
        right, faults = right + first, faults + len(mine)
        print(f"{fault:<28} {len(mine):>4}  {first:>11}  {anywhere:>5}  {counts}")
    print(f"named first: {right} of {faults}; false positives: {false_positives}")
    followed = [row for row in rows if "after" in row]
    better = sum(row["after"] > row["before"] for row in followed)
    print(f"first advice followed: {len(followed)}; the validation score rose in {better}")
    for row in followed:
        print(f"  {row['base']} {row['planted']}: {row['before']:.4f} -> {row['after']:.4f}  "
              f"{row['advice']}")  # fmt: skip


if __name__ == "__main__":
    main()
