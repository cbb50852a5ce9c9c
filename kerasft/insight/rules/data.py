"""Rules about the data: leaks, balance, size, and what was cut.

Each rule reads `Facts` and returns a Finding or None; see `rules_rate` for their thresholds.
"""

from __future__ import annotations

import math

import numpy as np

from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.rules.findings import Advice, Finding


def leakage(facts: Facts) -> Finding | None:
    """Examples stand in two splits, enough of them to change a score."""
    double = dict(facts.audit.get("duplicates", {}))  # "test/train": 12
    shares = {
        pair: count / max(facts.counts.get(pair.split("/")[0], 1), 1)
        for pair, count in double.items()
    }
    pair = max(shares, key=lambda p: shares[p], default="")
    if not pair or shares[pair] < 0.03:
        return None
    split, other = pair.split("/")
    return Finding(
        "leakage",
        "The same examples stand in two splits",
        f"{double[pair]} of the {facts.counts.get(split, 0):,} {split} examples "
        f"({shares[pair]:.0%}) stand in the {other} split too: scores on them are memory.",
        (
            Advice({"train_split": None, "validation_split": None, "test_split": None},
                   "Take the copies out of the file, or give it as one split: kerasft keeps equal "
                   "examples together."),
        ),
        causes=frozenset({"trained_too_long"}),
    )  # fmt: skip


def imbalance(facts: Facts) -> Finding | None:
    """Rare classes are missed while the accuracy looks well."""
    counts, metrics = facts.class_counts, facts.metrics.get("validation", {})
    rows = metrics.get("per_class", [])
    if facts.task != "classification" or len(counts) < 2 or not rows:
        return None
    usual = float(np.median(list(counts.values())))
    largest = max(counts.values())
    rare = [r for r in rows if counts.get(r["name"], 0) < largest / 8 and r["support"]]
    if not rare or facts.settings.get("class_weight") == "balanced":
        return None
    support = sum(row["support"] for row in rare)
    recall = sum(row["recall"] * row["support"] for row in rare) / support
    others = [r["recall"] for r in rows if r not in rare and r["support"]]
    # The standard error of the recall of the rare ones together.
    error = math.sqrt(max(recall * (1 - recall), 0.25 / support) / support)
    if not others or recall > np.mean(others) - max(0.05, 1.5 * error):
        return None
    worst = min(rare, key=lambda row: row["recall"])
    return Finding(
        "imbalance",
        "Rare classes are missed",
        f"{len(rare)} of {len(rows)} classes have less than an eighth of the examples of the "
        f"largest ({largest:,}; the median is {usual:,.0f}); {recall:.0%} of their validation "
        f"examples are found, {np.mean(others):.0%} of the others ({worst['name']!r}: "
        f"{worst['recall']:.0%}).",
        (
            Advice({"class_weight": "balanced", "monitor": "val_f1"},
                   "Rare classes weigh as much as the others, and pick the best epoch."),
            Advice({}, "More examples of the rare classes."),
        ),
        causes=frozenset({"collapsed", "validation_too_small", "underfitting"}),
    )  # fmt: skip


def validation_too_small(facts: Facts) -> Finding | None:
    """The validation split is too small to tell two settings apart."""
    n = facts.counts.get("validation", 0)
    if not n or not facts.main:
        return None
    if facts.task == "regression":
        # The standard error of a root mean square of n normal errors is 1 / sqrt(2n) of it.
        either = 1.96 / math.sqrt(2 * n)
        wide, text = n < 50, f"{n} examples: their RMSE is known to {either:.0%} either way"
    else:
        score = float(np.nanmax(facts.curve(f"val_{facts.score[0]}", facts.rows)))
        half = facts.uncertainty(min(max(score, 0.0), 1.0))
        wide = half > 0.07
        text = f"{n} examples: {number(score)} is known to {100 * half:.0f} points either way"
    if not wide:
        return None
    share = facts.settings.get("validation_fraction", 0.15)
    more = Advice({"validation_fraction": min(round(2 * share, 2), 0.4)},
                  "More examples to judge by, fewer to train on.")  # fmt: skip
    if "validation" not in facts.audit.get("made", ["validation"]):  # records of before lack it
        more = Advice({}, "Move training examples to the validation split, which your data give.")
    return Finding(
        "validation_too_small",
        "The validation split is too small to tell",
        f"It has {text} (95 %). Smaller differences between runs are chance.",
        (
            more,
            Advice({}, "Or compare several --seed values and look at the mean."),
        ),
        fault=False,
    )  # fmt: skip


def truncated(facts: Facts) -> Finding | None:
    """Many texts were cut."""
    share = float(facts.audit.get("truncated", 0.0))
    if share < 0.1 or "sequence_length" not in facts.settings:
        return None
    length = facts.settings["sequence_length"]
    longer = int(2 ** math.ceil(math.log2(1.5 * length)))
    return Finding(
        "truncated",
        "Many texts were cut",
        f"{share:.0%} of the texts are longer than sequence_length={length}; the model never saw "
        "their ends.",
        (Advice({"sequence_length": longer}, "Takes more time, in proportion."),),
        fault=share >= 0.3,
    )
