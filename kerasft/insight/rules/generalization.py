"""Rules about the fit: overfitting, underfitting, regularization, collapse.

Each rule reads `Facts` and returns a Finding or None; see `rules.learning_rate` for the thresholds.
"""

from __future__ import annotations

import numpy as np

from kerasft.config import Config
from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding, rounded
from kerasft.setting_declaration import settings

_TO_ZERO = [name for name, item in settings(Config).items() if item.role == "penalty"]
# The usual values of those that pull towards pretrained weights are larger.
_PENALTIES = [name for name, item in settings(Config).items() if item.role.startswith("penalty")]


def over_regularized(facts: Facts) -> Finding | None:
    """Detect a penalty or dropout that prevents the model from fitting the training data."""
    rows = facts.main
    if not rows:
        return None
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    penalty = np.nan_to_num(facts.curve("penalty", facts.rows))  # including the head phase
    poor = loss[-1] > 0.35 * facts.baseline_loss
    strong = any(facts.settings.get(name, 0) >= 0.05 for name in _TO_ZERO)
    heavy = penalty[-1] > 0.5 * loss[-1] or penalty.max() > facts.baseline_loss
    above = facts.curve("loss", facts.rows) > 1.25 * facts.curve("val_loss", facts.rows)
    if (heavy and (poor or strong)) or (poor and strong):
        name = max(_PENALTIES, key=lambda n: facts.settings.get(n, 0.0))
        value = facts.settings.get(name, 0.0)
        evidence = (
            f"The penalty reached {number(penalty.max())}; the training loss ended at "
            f"{facts.shown(loss[-1])} (a constant baseline has "
            f"{facts.shown(facts.baseline_loss)}). {name}={number(value)} dominates the loss."
        )
        advice: tuple[Advice, ...]
        changes: dict[str, float] = {n: 0.0 for n in _PENALTIES if facts.settings.get(n, 0) > 0}
        advice = (
            Advice(changes, "Early stopping and weight decay already limit overfitting."),
            Advice({name: rounded(value / 1000)}, "Or a much weaker penalty."),
        )
    elif facts.settings.get("dropout", 0) >= 0.6 and np.mean(above) >= 0.5:
        evidence = (
            f"With dropout={number(facts.settings['dropout'])} the training loss was far above "
            f"the validation loss, which has no dropout, in {above.sum()} of {len(above)} epochs "
            f"(final values {facts.shown(loss[-1])} and {facts.shown(val[-1])})."
        )
        advice = (Advice({"dropout": 0.2}, "Keeps most features for the output layer."),)
    else:
        return None
    return Finding(
        "over_regularized",
        "The model is regularized too strongly",
        evidence,
        advice,
        causes=frozenset({"underfitting", "learning_rate_too_low", "collapsed", "no_signal",
                          "stopped_too_early", "learning_rate_too_high"}),
    )  # fmt: skip


def collapsed(facts: Facts) -> Finding | None:
    """Detect a model that predicts a single class."""
    matrix = facts.metrics.get("validation", {}).get("confusion_matrix")
    if not matrix:
        return None
    counts = np.array(matrix)
    predicted, truth = counts.sum(axis=0) / counts.sum(), counts.sum(axis=1) / counts.sum()
    if predicted.max() < 0.97 or truth.max() > 0.85:
        return None
    names = [row["name"] for row in facts.metrics["validation"]["per_class"]]
    loss = facts.curve("loss")
    return Finding(
        "collapsed",
        "The model predicts a single class",
        f"{predicted.max():.0%} of the validation examples are predicted as "
        f"{names[int(predicted.argmax())]!r}, the class of {truth[predicted.argmax()]:.0%}. The "
        f"training loss ended at {facts.shown(loss[-1])}; a constant baseline has "
        f"{facts.shown(facts.baseline_loss)}.",
        (
            Advice(
                {"learning_rate": rounded(facts.settings["learning_rate"] / 10)},
                "Too large steps saturate the output layer.",
            ),
            Advice({"class_weight": "balanced"}, "If one class has most of the examples."),
        ),
        causes=frozenset({"underfitting", "no_signal", "imbalance", "hard_class"}),
    )


def no_signal(facts: Facts) -> Finding | None:
    """Detect a training that improves without any gain on the validation split."""
    val, loss = facts.curve("val_loss"), facts.curve("loss")
    if len(val) < 2 or facts.kind.several or not np.isfinite(val).any():
        return None
    never = np.nanmin(facts.curve("val_loss", facts.rows)) > 0.95 * facts.baseline_loss
    if facts.kind.has_classes:
        score = np.nanmax(facts.curve(f"val_{facts.kind.main_metric}", facts.rows))
        share = float(facts.class_shares.max())
        # The best of several epochs: noise exceeds one interval.
        never = never and score < share + 3 * facts.uncertainty(share)
    if not never or (loss[-1] > 0.97 * loss.max() and loss[-1] > 0.99 * facts.baseline_loss):
        return None
    return Finding(
        "no_signal",
        "Nothing learned generalizes to the validation split",
        f"The training loss fell to {facts.shown(loss[-1])}, but the validation loss was never "
        f"below {facts.shown(np.nanmin(val))}; that of a constant baseline is "
        f"{facts.shown(facts.baseline_loss)}.",
        (
            Advice({}, "Check some examples: are their labels correct, and can a person predict "
                       "them from the input?"),
            Advice({"trainable_blocks": 0, "learning_rate": 1e-3},
                   "A linear probe overfits least."),
        ),
        causes=frozenset({"overfitting", "underfitting", "learning_rate_too_low", "imbalance",
                          "trained_too_long", "stopped_too_early"}),
    )  # fmt: skip


def overfitting(facts: Facts) -> Finding | None:
    """Detect a gap between training and validation beyond noise and a good fit."""
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    if facts.best_epoch is None or not np.isfinite(val).any():
        return None
    best = int(np.nanargmin(val))
    turned = len(val) - best > 2 and val[-1] > 1.25 * val[best] and loss[-1] < loss[best]
    if not facts.kind.has_classes:
        # As below: a memorized training split alone does no harm.
        gap = val[-1] > (2.5 if turned else 4.0) * loss[-1] and val[-1] > 0.35
        text = f"The training loss ended at {facts.shown(loss[-1])}, the validation loss at "
        text += facts.shown(val[-1])
    else:
        name = facts.kind.main_metric
        train, other = facts.curve(name)[-1], np.nanmax(facts.curve(f"val_{name}"))
        # A memorized training split alone does no harm: validation must suffer.
        least = max(0.12 if turned else 0.2, 1.3 * facts.uncertainty(other))
        gap = train - other > (0.05 if facts.few_examples else least)
        text = f"The training {name} ended at {number(train)}; the highest validation {name} was "
        text += number(other)
    if not (gap and val[best] > (0.06 if facts.few_examples else 0.1) * facts.baseline_loss):
        return None
    turn = (
        f" The validation loss rose after epoch {best + 1 + len(facts.before)}, from "
        f"{facts.shown(val[best])} to {facts.shown(val[-1])}."
        if turned
        else ""
    )
    return Finding(
        "overfitting",
        "The model overfits",
        f"{text}.{turn}",
        tuple(_against_overfitting(facts)),
        causes=frozenset({"trained_too_long", "stopped_too_early"}),
    )


def _against_overfitting(facts: Facts) -> list[Advice]:
    settings, found = facts.settings, []
    if settings.get("augmentation") == "none":
        found.append(Advice({"augmentation": "light"}, "Every epoch has different images."))
    # With few examples per class, dropout removes the little signal they have.
    if settings.get("dropout", 0) < 0.3 and not facts.few_examples:
        found.append(Advice({"dropout": 0.5}, "Prevents reliance on single features."))
    blocks = settings.get("trainable_blocks", 0)
    begins_at_random = settings.get("head_start", "random") == "random"
    if blocks > 2 or blocks == -1:
        found.append(Advice({"trainable_blocks": 2}, "Fewer trained weights overfit less."))
    elif blocks:
        # A linear probe uses the learning rate of the head phase.
        changes = {"trainable_blocks": 0, "learning_rate": settings["head_learning_rate"],
                   "epochs": 3 * settings["epochs"]}  # fmt: skip
        if facts.head:  # both phases would train the output layer alone
            changes["head_epochs"] = 0
        if not facts.probe:
            changes["head_start"] = "linear"
        found.append(Advice(changes, "A linear probe overfits least."))
    # A linear probe chooses its own penalty, and is worse with one more. From a random start this
    # was measured on digits and tickets with 3 examples per class.
    elif facts.few_examples and begins_at_random and not settings.get("kernel_l2"):
        changes = {"kernel_l2": 0.1, "epochs": 3 * settings["epochs"]}
        found.append(Advice(changes, "A small output layer, and more epochs for more steps."))
    if not settings.get("kernel_l2"):
        found.append(Advice({"kernel_l2": 1e-3}, "Penalizes large weights of the output layer."))
    found.append(Advice({}, "More examples help most."))
    return found


def underfitting(facts: Facts) -> Finding | None:
    """Detect training and validation losses that are both high and flat."""
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    if len(loss) < 3 or not np.isfinite(loss).all():
        return None
    poor = loss[-1] > 0.5 * facts.baseline_loss and val[-1] > 0.5 * facts.baseline_loss
    flat = (loss[-2] - loss[-1]) / loss[-2] < 0.03
    if not (poor and flat):
        return None
    return Finding(
        "underfitting",
        "The model underfits",
        f"Training ({facts.shown(loss[-1])}) and validation ({facts.shown(val[-1])}) both ended "
        f"near the loss of a constant baseline ({facts.shown(facts.baseline_loss)}), and the curve "
        "is flat.",
        tuple(_against_underfitting(facts)),
    )


def _against_underfitting(facts: Facts) -> list[Advice]:
    blocks = facts.settings.get("trainable_blocks", -1)
    found = []
    if blocks != -1:
        more = -1 if 0 < facts.blocks <= blocks + 2 else blocks + 2
        changes = {"trainable_blocks": more}
        if not (facts.probe and blocks):  # else it begins where a head phase would bring it
            changes["head_epochs"] = max(2, len(facts.head))
        found.append(Advice(changes, "Adapts more of the backbone to the task."))
    rate = rounded(facts.settings["learning_rate"] * 3)
    found.append(Advice({"learning_rate": rate}, "Try larger steps first."))
    return found


def batch_norm(facts: Facts) -> Finding | None:
    """Detect batches that are too small for batch statistics: validation is erratic."""
    settings = facts.settings
    moving = settings.get("freeze_batch_norm") is False and settings.get("trainable_blocks") != 0
    val, loss = facts.curve("val_loss"), facts.curve("loss")
    if not moving or settings["batch_size"] > 16 or len(val) < 3:
        return None
    erratic = np.abs(np.diff(val)).mean() > 0.25 * np.median(val)
    apart = val.min() > 2.5 * loss[-1] + 0.1 * facts.baseline_loss
    if not (erratic or apart) or loss[-1] > 0.7 * loss[0]:
        return None
    return Finding(
        "batch_norm",
        "BatchNormalization has too few examples per batch",
        f"The training loss fell from {facts.shown(loss[0])} to {facts.shown(loss[-1])} while the "
        f"validation loss ranged from {facts.shown(val.min())} to {facts.shown(val.max())}; "
        f"freeze_batch_norm is off and batch_size is {settings['batch_size']}.",
        (
            Advice(
                {"freeze_batch_norm": True, "batch_size": 32},
                "Keeps the pretrained statistics, and makes the steps less noisy.",
            ),
            Advice({"batch_size": 32}, "Or only larger batches."),
        ),
        causes=frozenset({"overfitting", "trained_too_long"}),
    )
