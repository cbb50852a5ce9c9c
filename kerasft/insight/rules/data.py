"""Rules about the data: leakage, small validation splits, truncation.

Each rule reads `Facts` and returns a Finding or None; see `rules.learning_rate` for the thresholds.
"""

from __future__ import annotations

import math

import numpy as np

from kerasft.data_finding import longer_length
from kerasft.formatting import counted, number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding
from kerasft.tasks.intervals import WIDE, binomial_variance, share_interval

_MOST_VALIDATION = 0.3  # of the training examples
_NEW_BASELINE = "Other splits begin a new baseline: scores of earlier runs are not comparable."


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
        score = facts.metrics.get("validation", {}).get(name)
        if score is None:  # the run has not ended
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
        f"It has {counted(n, 'example')}: the 95% confidence interval of {interval}. "
        f"Differences of less than {noise} between two runs are within noise.",
        (
            _more_validation(facts),
            Advice({}, "Or compare means over several seeds (--seeds 3)."),
        ),
        fault=False,
    )


def _more_validation(facts: Facts) -> Advice:
    """Return how to get more validation examples without taking too many from training."""
    if whole := _whole(facts):
        return Advice(whole, f"The fit used a part of the data. {_NEW_BASELINE}")
    share = facts.settings.get("validation_fraction", 0.15)
    larger = min(round(2 * share, 2), _MOST_VALIDATION)
    made = "validation" in facts.audit.get("made", ["validation"])  # older records lack it
    if facts.few_examples or (made and larger <= share):
        return Advice({}, "Add labeled examples: the training split has none to spare.")
    if not made:
        return Advice({}, "Move training examples to the validation split of your data.")
    return Advice(
        {"validation_fraction": larger},
        f"More validation examples, fewer training examples. {_NEW_BASELINE}",
    )


def _whole(facts: Facts) -> dict[str, float]:
    """Return the change that uses all examples, empty where none were left out."""
    most = facts.settings.get("max_examples", 0)
    # Repeated training examples are removed, so fewer than the limit may be left of it.
    if most and sum(facts.counts.values()) > 0.9 * most:
        return {"max_examples": 0}
    return {"fraction": 1.0} if facts.settings.get("fraction", 1.0) < 1 else {}


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
