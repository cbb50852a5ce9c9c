"""Rules about the recall of single classes, compared with that of the others.

Each rule reads `Facts` and returns a Finding or None; see `rules.learning_rate` for the thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding
from kerasft.tasks.intervals import share_interval

_RARE, _VERY_RARE = 2, 8  # times as large as such a class is the largest one, at least
_MARGIN = 0.05  # a difference of recalls below it is not worth a finding
_HARD_MARGIN = 0.2  # that of a class that is not rare: some classes are harder than others
_LEARNED = 0.5  # recall of the others from which it says something about a class
_FALSE_FINDINGS = 0.05  # of runs whose classes are all equally well found
_CONSEQUENCES = frozenset({"collapsed", "underfitting"})

Rows = list[dict[str, Any]]  # precision, recall and support by class


def imbalance(facts: Facts) -> Finding | None:
    """Detect rare classes whose recall is below that of the others.

    All rare classes are tested together, the very rare ones together, and each alone.
    """
    rows, counts = _measured(facts), facts.class_counts
    rare = _below(rows, counts, _RARE)
    group = _surely_weak([rare, _below(rows, counts, _VERY_RARE), *_singles(rare)], rows, _MARGIN)
    if not group:
        return None
    weighted = facts.settings.get("class_weight") == "balanced"
    weigh = Advice(
        {"class_weight": "balanced", "monitor": "val_f1"},
        "Gives rare classes equal weight in the loss and in the choice of the epoch. The recall of "
        "the others may fall a little.",
    )
    more = Advice({}, "Collect more examples of the rare classes.")
    return Finding(
        "imbalance",
        "Rare classes have a low recall",
        f"{_sizes(group, counts)}; the largest class has {max(counts.values()):,}. "
        f"{_recalls(group, rows)}",
        (more,) if weighted else (weigh, more),
        fault=not weighted,  # what a setting could do is done
        # A note hides no fault.
        causes=frozenset() if weighted else _CONSEQUENCES,
    )


def hard_class(facts: Facts) -> Finding | None:
    """Detect a class that is not rare whose recall is below that of the others."""
    rows, counts = _measured(facts), facts.class_counts
    rare = _below(rows, counts, _RARE)
    group = _surely_weak(_singles(_without(rows, rare)), rows, _HARD_MARGIN)
    if not group or _recall(_without(rows, group)) < _LEARNED:
        return None
    name = group[0]["name"]
    return Finding(
        "hard_class",
        "A class has a low recall",
        f"Class {name!r}: {_recalls(group, rows)}{_confused(facts, name)}",
        (
            Advice({}, "Read the examples of this class that are predicted as another: correct "
                       "wrong labels, merge classes that a person cannot tell apart, or add "
                       "examples."),
        ),
        fault=False,
    )  # fmt: skip


def _measured(facts: Facts) -> Rows:
    """Return the classes with validation examples; none of a task without one class each."""
    if not facts.kind.class_weight:
        return []
    found = facts.metrics.get("validation", {}).get("per_class", [])
    return [row for row in found if row["support"]]


def _below(rows: Rows, counts: dict[str, int], ratio: int) -> Rows:
    """Return the classes that are so many times smaller than the largest."""
    largest = max(counts.values(), default=0)
    return [row for row in rows if ratio * counts.get(row["name"], largest) <= largest]


def _singles(rows: Rows) -> list[Rows]:
    return [[row] for row in rows]


def _surely_weak(groups: list[Rows], rows: Rows, margin: float) -> Rows:
    """Return the group whose recall is most surely below the others'; empty without one.

    Bonferroni's correction limits the false findings of all tests.
    """
    different = [group for n, group in enumerate(groups) if group not in groups[:n]]
    tested = [
        (_p_value(group, rows, margin), group) for group in different if 0 < len(group) < len(rows)
    ]
    least, group = min(tested, key=lambda pair: pair[0], default=(1.0, []))
    return group if least * len(tested) <= _FALSE_FINDINGS else []


def _p_value(group: Rows, rows: Rows, margin: float) -> float:
    """Return the p-value of Fisher's exact test that the group's recall is below the others'.

    It is 1 where the difference is too small to matter.
    """
    from scipy.stats import fisher_exact

    (hits, support), (others_hits, others) = _hits(group), _hits(_without(rows, group))
    if hits / support > others_hits / others - margin:
        return 1.0
    table = [[hits, support - hits], [others_hits, others - others_hits]]
    return float(fisher_exact(table, alternative="less").pvalue)


def _sizes(group: Rows, counts: dict[str, int]) -> str:
    """Return how many training examples rare classes have, and which has the lowest recall."""
    least, most = (function(counts[row["name"]] for row in group) for function in (min, max))
    if len(group) == 1:
        return f"Class {group[0]['name']!r} has {least:,} training examples"
    worst = min(group, key=lambda row: row["recall"])
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return (
        f"{len(group)} of {len(counts)} classes have {sizes} training examples (lowest recall: "
        f"{worst['name']!r}, {worst['recall']:.0%})"
    )


def _recalls(group: Rows, rows: Rows) -> str:
    """Return the recall of a group with its interval, and that of the other classes."""
    (hits, support), (others_hits, others) = _hits(group), _hits(_without(rows, group))
    low, high = share_interval(hits / support, support)
    return (
        f"The validation recall is {hits / support:.0%} ({hits} of {support:,} examples, 95% "
        f"confidence interval {low:.0%} to {high:.0%}), that of the other classes "
        f"{others_hits / others:.0%} (of {others:,})."
    )


def _confused(facts: Facts, name: str) -> str:
    """Return which class most of the missed examples of a class are predicted as."""
    metrics = facts.metrics["validation"]
    names = [row["name"] for row in metrics["per_class"]]
    row = np.array(metrics.get("confusion_matrix") or np.zeros((len(names), len(names))))
    missed = row[names.index(name)] * (np.arange(len(names)) != names.index(name))
    if not missed.any():
        return ""
    return f" {int(missed.max()):,} are predicted as {names[int(missed.argmax())]!r}."


def _recall(rows: Rows) -> float:
    hits, support = _hits(rows)
    return hits / support


def _hits(rows: Rows) -> tuple[int, int]:
    """Return how many examples of classes were found, and of how many."""
    hits = sum(row["recall"] * row["support"] for row in rows)
    return round(hits), sum(row["support"] for row in rows)


def _without(rows: Rows, group: Rows) -> Rows:
    return [row for row in rows if row not in group]
