"""Rules about the data: leakage, imbalance, small validation splits, truncation.

Each rule reads `Facts` and returns a Finding or None; see `rules.learning_rate` for the thresholds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kerasft.data_finding import longer_length
from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding
from kerasft.tasks.intervals import WIDE, binomial_variance, share_interval

_MOST_VALIDATION = 0.3  # of the training examples
_RARE, _VERY_RARE = 2, 8  # times as large as such a class is the largest one, at least
_RECALL_MARGIN = 0.05  # a difference below it is not worth a finding
_FALSE_FINDINGS = 0.05  # of runs whose rare classes are as good as the others


def leakage(facts: Facts) -> Finding | None:
    """Detect examples that are in two splits, enough to change a score."""
    double = dict(facts.audit.get("duplicates", {}))  # "test/train": 12
    shares = {
        pair: count / max(facts.counts.get(pair.split("/")[0], 1), 1)
        for pair, count in double.items()
    }
    pair = max(shares, key=lambda p: shares[p], default="")
    if not pair or shares[pair] < 0.03:
        return None
    split, other = pair.split("/")
    named = {n: None for n, value in facts.settings.items() if n.endswith("_split") and value}
    return Finding(
        "leakage",
        "The same examples are in two splits",
        f"{double[pair]} of the {facts.counts.get(split, 0):,} {split} examples "
        f"({shares[pair]:.0%}) are also in the {other} split: their scores measure memorization.",
        (
            Advice(named,
                   "Remove the duplicates, or give the data as one split: kerasft keeps equal "
                   "examples in one split."),
        ),
        causes=frozenset({"trained_too_long"}),
    )  # fmt: skip


def imbalance(facts: Facts) -> Finding | None:
    """Detect rare classes whose recall is below that of the others."""
    counts, metrics = facts.class_counts, facts.metrics.get("validation", {})
    rows = [row for row in metrics.get("per_class", []) if row["support"]]
    if not facts.kind.class_weight or facts.settings.get("class_weight") == "balanced":
        return None
    rare = _weak_rare_classes(rows, counts)
    if not rare:
        return None
    return Finding(
        "imbalance",
        "Rare classes have a low recall",
        f"{_describe(rare, counts)}; the largest class has {max(counts.values()):,}. The "
        f"validation recall is {_recall(rare):.0%}, that of the other classes "
        f"{_recall(_without(rows, rare)):.0%}.",
        (
            Advice({"class_weight": "balanced", "monitor": "val_f1"},
                   "Gives rare classes equal weight in the loss and in the choice of the epoch."),
            Advice({}, "Or collect more examples of the rare classes."),
        ),
        causes=frozenset({"collapsed", "validation_too_small", "underfitting"}),
    )  # fmt: skip


def _describe(rare: list[dict[str, Any]], counts: dict[str, int]) -> str:
    """Return how many examples rare classes have, and which has the lowest recall."""
    worst = min(rare, key=lambda row: row["recall"])
    least, most = (function(counts[row["name"]] for row in rare) for function in (min, max))
    if len(rare) == 1:
        return f"Class {worst['name']!r} has {least:,} training examples"
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return (
        f"{len(rare)} of {len(counts)} classes have {sizes} training examples (lowest recall: "
        f"{worst['name']!r}, {worst['recall']:.0%})"
    )


def _weak_rare_classes(rows: list[dict[str, Any]], counts: dict[str, int]) -> list[dict[str, Any]]:
    """Return the rare class, or the rare classes, whose recall is most surely below the others'.

    All rare classes are tested together, the very rare ones together, and each alone.
    Bonferroni's correction limits the false findings of all tests.

    Args:
        rows: Precision, recall and support by class, of classes with validation examples.
        counts: Number of training examples by class.
    """
    largest = max(counts.values(), default=0)

    def below(ratio: int) -> list[dict[str, Any]]:
        return [row for row in rows if ratio * counts.get(row["name"], largest) <= largest]

    groups = [below(_RARE), below(_VERY_RARE), *([row] for row in below(_RARE))]
    tested = [(_p_value(group, rows), group) for group in groups if 0 < len(group) < len(rows)]
    least, group = min(tested, key=lambda pair: pair[0], default=(1.0, []))
    return group if least * len(tested) <= _FALSE_FINDINGS else []


def _p_value(group: list[dict[str, Any]], rows: list[dict[str, Any]]) -> float:
    """Return the p-value of Fisher's exact test that the group's recall is below the others'.

    It is 1 where the difference is too small to matter.
    """
    from scipy.stats import fisher_exact

    (hits, support), (others_hits, others) = _hits(group), _hits(_without(rows, group))
    if hits / support > others_hits / others - _RECALL_MARGIN:
        return 1.0
    table = [[hits, support - hits], [others_hits, others - others_hits]]
    return float(fisher_exact(table, alternative="less").pvalue)


def _recall(rows: list[dict[str, Any]]) -> float:
    hits, support = _hits(rows)
    return hits / support


def _hits(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many examples of classes were found, and of how many."""
    hits = sum(row["recall"] * row["support"] for row in rows)
    return round(hits), sum(row["support"] for row in rows)


def _without(rows: list[dict[str, Any]], group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row not in group]


def validation_too_small(facts: Facts) -> Finding | None:
    """Detect a validation split that is too small to compare settings."""
    n = facts.counts.get("validation", 0)
    if not n or not facts.main:
        return None
    if not facts.kind.has_classes:
        # The standard error of a root mean square of n normal errors is 1 / sqrt(2n) of it.
        either = 1.96 / math.sqrt(2 * n)
        wide, interval = n < 50, f"the RMSE is ±{either:.0%}"
        noise = f"{math.sqrt(2) * either:.0%}"
    else:
        name = facts.kind.main_metric
        score = min(max(float(np.nanmax(facts.curve(f"val_{name}", facts.rows))), 0.0), 1.0)
        low, high = share_interval(score, n)
        wide = high - low > 2 * WIDE
        interval = f"{name} {number(score)} is {low:.2f} to {high:.2f}"
        # As `compare` has it: twice the standard error of a difference.
        noise = f"{2 * math.sqrt(2 * binomial_variance(score, n)):.2f}"
    if not wide:
        return None
    return Finding(
        "validation_too_small",
        "The validation split is too small to compare settings",
        f"It has {n} examples: the 95% confidence interval of {interval}. Differences of less than "
        f"{noise} between two runs are within noise.",
        (
            _more_validation(facts),
            Advice({}, "Or compare means over several seeds (--seeds 3)."),
        ),
        fault=False,
    )


def _more_validation(facts: Facts) -> Advice:
    """Return how to get more validation examples without taking too many from training."""
    share = facts.settings.get("validation_fraction", 0.15)
    larger = min(round(2 * share, 2), _MOST_VALIDATION)
    made = "validation" in facts.audit.get("made", ["validation"])  # older records lack it
    if facts.few_examples or (made and larger <= share):
        return Advice({}, "Add labeled examples: the training split has none to spare.")
    if not made:
        return Advice({}, "Move training examples to the validation split of your data.")
    return Advice(
        {"validation_fraction": larger},
        "More validation examples, fewer training examples. Other splits begin a new baseline: "
        "scores of earlier runs are not comparable.",
    )


def truncated(facts: Facts) -> Finding | None:
    """Detect texts that were truncated."""
    share, name = float(facts.audit.get("truncated", 0.0)), facts.length_setting
    if share < 0.1 or not name:
        return None
    length = facts.settings[name]
    return Finding(
        "truncated",
        "Many texts were truncated",
        f"{share:.0%} of the texts are longer than {name}={length}; the rest is dropped.",
        (
            Advice(
                {name: longer_length(length)},
                "Keeps more of each text; the time grows in proportion.",
            ),
        ),
        fault=share >= 0.3,
    )
