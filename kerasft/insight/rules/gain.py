"""Rules about a fit that ends no better than frozen features.

Each rule reads `Facts` and returns a Finding or None.
"""

from __future__ import annotations

from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding


def no_better_than_probe(facts: Facts) -> Finding | None:
    """Detect trained blocks that did not improve on a linear probe of frozen features."""
    name = facts.metric if facts.metric in facts.probe else facts.kind.main_metric  # older records
    ended, probe = facts.metrics.get("validation", {}).get(name), facts.probe.get(name)
    if ended is None or probe is None or not facts.settings.get("trainable_blocks"):
        return None
    more = facts.kind.directions[name] == "max"
    better = ended > probe or ended >= 1 if more else ended < probe
    # The probe can also be the best epoch by another metric, or by the loss at an equal one.
    if better and facts.best_epoch != 0:
        return None
    chosen = " Epoch 0, that start, is the best one: its weights were restored."
    linear = {"trainable_blocks": 0, "head_epochs": 0,
              "learning_rate": facts.settings["head_learning_rate"]}  # fmt: skip
    return Finding(
        "no_better_than_probe",
        "The model is no better than a linear probe",
        f"The validation {name} is {number(ended)}; the linear probe on frozen features as which "
        f"the output layer began has {number(probe)}.{chosen * (facts.best_epoch == 0)}",
        (
            *_range_test(facts),
            Advice(linear, "The output layer alone trains in less time."),
        ),
        fault=False,
    )


def _range_test(facts: Facts) -> tuple[Advice, ...]:
    if facts.range_test:
        return ()
    return (Advice({"learning_rate": "auto"}, "A range test before the fit finds the rates."),)


def _can_start_as_probe(facts: Facts) -> bool:
    """Return whether a probe is another start, and class means are not, which ends better."""
    means = facts.head_start == "class_means"
    return bool(not facts.probe and facts.kind.class_weight and not means)


def no_better_than_untrained(facts: Facts) -> Finding | None:
    """Detect a fit that is no better than frozen features without any training."""
    name = facts.untrained.get("metric", "")
    ended = facts.metrics.get("validation", {}).get(name)
    if ended is None or ended > facts.untrained[name] or ended >= 1 or no_better_than_probe(facts):
        return None
    linear = Advice({"head_start": "linear"}, "The output layer begins as a linear probe.")
    return Finding(
        "no_better_than_untrained",
        "The training has gained nothing",
        f"The validation {name} is {number(ended)}; the {facts.untrained['by']} by frozen "
        f"features, which needs no training, has {number(facts.untrained[name])}.",
        (
            *_range_test(facts),
            *([linear] if _can_start_as_probe(facts) else []),
        ),
        fault=False,
    )
