"""Rules about the number of epochs.

Each rule reads `Facts` and returns a Finding or None; see `rules.learning_rate` for the thresholds.
"""

from __future__ import annotations

import math

import numpy as np

from kerasft.formatting import counted
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding

_FEW_STEPS = 100  # of one or two epochs: too few to judge anything


def stopped_too_early(facts: Facts) -> Finding | None:
    """Detect a training whose last epoch still improved, or with too few epochs to learn.

    The rules for a low learning rate and for underfitting need three epochs; this one covers fewer.
    """
    val = facts.curve("val_loss")
    if not len(val) or not np.isfinite(val).all() or val[-1] < 0.015 * facts.baseline_loss:
        return None
    fell, epochs = _last_fall(facts), facts.settings["epochs"]
    evidence = fell or _too_few_epochs(facts)
    if not evidence:
        return None
    return Finding(
        "stopped_too_early",
        "The training stopped too early",
        evidence,
        (
            Advice(
                {"epochs": max(3 * epochs, epochs + 4)},
                "The loss is still falling." if fell else "Shows whether the loss falls.",
            ),
        ),
        causes=frozenset({"underfitting"}),
    )


def _last_fall(facts: Facts) -> str:
    """Return the evidence that the last epoch still improved, or an empty string."""
    val, train = facts.curve("val_loss"), facts.curve("loss")
    epochs = [*facts.curve("val_loss", facts.before[-1:]), *val]
    if len(epochs) < 2:  # nothing to compare with but a constant baseline
        return ""
    before, last = epochs[-2:]
    gained = (before - last) / before
    # A much smaller training loss has little left to teach.
    overfits = len(val) > 1 and train[-1] < 0.5 * last
    if gained < 0.08 or last > val.min() or overfits:
        return ""
    return (
        f"The last epoch still lowered the validation loss from {facts.shown(before)} to "
        f"{facts.shown(last)}."
    )


def _too_few_epochs(facts: Facts) -> str:
    """Return the evidence that one or two epochs are too few to judge, or an empty string."""
    val, baseline = facts.curve("val_loss"), facts.baseline_loss
    steps = len(val) * math.ceil(facts.counts.get("train", 0) / facts.settings["batch_size"])
    few = 0 < steps < _FEW_STEPS or (len(val) == 1 and not facts.before)
    if len(val) > 2 or not (few or val.min() > 0.9 * baseline):
        return ""
    return (
        f"After {counted(len(val), 'epoch')} of the main phase the "
        f"validation loss is {facts.shown(val[-1])}; a constant baseline has "
        f"{facts.shown(baseline)}. That is too early to judge the settings."
    )


def trained_too_long(facts: Facts) -> Finding | None:
    """Detect many epochs after the best one, without a gain: the best weights are restored."""
    val = facts.curve("val_loss")
    # Of epoch 0, the start, another rule has a note.
    if len(val) < 6 or not facts.best_epoch or not np.isfinite(val).all():
        return None
    best = facts.best_epoch - len(facts.before)
    if best > 0.4 * len(val) or val[-1] < 1.05 * val.min():
        return None
    best, unfreezing = max(best, 1), len(facts.before) - len(facts.head)
    return Finding(
        "trained_too_long",
        "The training ran for too many epochs",
        f"The best of {len(val)} epochs was epoch {best}; the validation loss then rose from "
        f"{facts.shown(val.min())} to {facts.shown(val[-1])}. The best weights were restored.",
        (
            Advice(
                {"epochs": unfreezing + min(2 * best, len(val)), "patience": 3}, "Saves time only."
            ),
        ),
        fault=False,
    )
