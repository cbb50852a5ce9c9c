"""Rules about how well the model fits: too much, too little, or not at all.

Each rule reads `Facts` and returns a Finding or None; see `rules_rate` for their thresholds.
"""

from __future__ import annotations

import numpy as np

from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.rules.findings import Advice, Finding

_TO_ZERO = ("kernel_l2", "kernel_l1", "backbone_l2", "backbone_l1")
_PENALTIES = (*_TO_ZERO, "pretrained_l2")  # whose usual values are larger


def over_regularized(facts: Facts) -> Finding | None:
    """Penalty or dropout keep the model from fitting its own training data."""
    rows = facts.main
    if not rows:
        return None
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    penalty = np.nan_to_num(facts.curve("penalty", facts.rows))  # the head phase's too
    poor = loss[-1] > 0.35 * facts.chance
    strong = any(facts.settings.get(name, 0) >= 0.05 for name in _TO_ZERO)
    heavy = penalty[-1] > 0.5 * loss[-1] or penalty.max() > facts.chance
    above = facts.curve("loss", facts.rows) > 1.25 * facts.curve("val_loss", facts.rows)
    if (heavy and (poor or strong)) or (poor and strong):
        name = max(_PENALTIES, key=lambda n: facts.settings.get(n, 0.0))
        value = facts.settings.get(name, 0.0)
        evidence = (
            f"The penalty was up to {number(penalty.max())} beside a training loss that ended at "
            f"{number(loss[-1])} (a constant answer has {number(facts.chance)}): "
            f"{name}={number(value)} decides what is learned."
        )
        advice: tuple[Advice, ...]
        changes: dict[str, float] = {n: 0.0 for n in _PENALTIES if facts.settings.get(n, 0) > 0}
        advice = (
            Advice(changes, "Early stopping and weight decay guard against overfitting already."),
            Advice({name: value / 1000}, "Or a much weaker penalty."),
        )
    elif facts.settings.get("dropout", 0) >= 0.6 and np.mean(above) >= 0.5:
        evidence = (
            f"With dropout={number(facts.settings['dropout'])} the training loss stood far above "
            f"the validation loss, which is measured without dropout, in {above.sum()} of "
            f"{len(above)} epochs (at the end {number(loss[-1])} and {number(val[-1])})."
        )
        advice = (Advice({"dropout": 0.2}, "Leaves the output layer enough of the features."),)
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
    """All validation examples get one class."""
    matrix = facts.metrics.get("validation", {}).get("confusion_matrix")
    if not matrix:
        return None
    counts = np.array(matrix)
    answers, truth = counts.sum(axis=0) / counts.sum(), counts.sum(axis=1) / counts.sum()
    if answers.max() < 0.97 or truth.max() > 0.85:
        return None
    names = [row["name"] for row in facts.metrics["validation"]["per_class"]]
    loss = facts.curve("loss")
    return Finding(
        "collapsed",
        "The model answers one class only",
        f"{answers.max():.0%} of the validation examples were called "
        f"{names[int(answers.argmax())]!r}, which {truth[answers.argmax()]:.0%} are; the training "
        f"loss ended at {number(loss[-1])}, a constant answer has {number(facts.chance)}.",
        (
            Advice(
                {"learning_rate": facts.settings["learning_rate"] / 10},
                "A head dies of steps that are too large.",
            ),
            Advice({"class_weight": "balanced"}, "Where one class is most of the data."),
        ),
        causes=frozenset({"underfitting", "no_signal", "imbalance"}),
    )


def no_signal(facts: Facts) -> Finding | None:
    """Training gets better and validation does not: the labels do not follow from the inputs."""
    val, loss = facts.curve("val_loss"), facts.curve("loss")
    if len(val) < 2 or facts.task == "multilabel":
        return None
    never = np.nanmin(facts.curve("val_loss", facts.rows)) > 0.95 * facts.chance
    if facts.task == "classification":
        score = np.nanmax(facts.curve("val_accuracy", facts.rows))
        share = float(facts.class_shares.max())
        # The best of several epochs: chance gives more than one interval.
        never = never and score < share + 3 * facts.uncertainty(share)
    if not never or (loss[-1] > 0.97 * loss.max() and loss[-1] > 0.99 * facts.chance):
        return None
    return Finding(
        "no_signal",
        "Nothing that was learned holds on the validation split",
        f"The training loss fell to {number(loss[-1])}, but the validation loss was never below "
        f"{number(np.nanmin(val))}; a constant answer has {number(facts.chance)}.",
        (
            Advice({}, "Look at some examples with their labels: are they right, and could a "
                       "person tell them apart from this input?"),
            Advice({"trainable_blocks": 0, "learning_rate": 1e-3},
                   "A head on fixed features learns by heart the least."),
        ),
        causes=frozenset({"overfitting", "underfitting", "learning_rate_too_low", "imbalance",
                          "trained_too_long", "stopped_too_early"}),
    )  # fmt: skip


def overfitting(facts: Facts) -> Finding | None:
    """Training is far better than validation, beyond what chance and a good fit explain."""
    if not facts.main or facts.best_epoch is None:
        return None
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    best = int(np.nanargmin(val))
    turned = len(val) - best > 2 and val[-1] > 1.25 * val[best] and loss[-1] < loss[best]
    if facts.task == "regression":
        # As below: a training split learned by heart does no harm by itself.
        gap = val[-1] > (2.5 if turned else 4.0) * loss[-1] and val[-1] > 0.35
        words = f"the training loss ended at {number(loss[-1])}, the validation loss at "
        words += number(val[-1])
    else:
        name = "accuracy" if facts.task == "classification" else "f1"
        train, other = facts.curve(name)[-1], np.nanmax(facts.curve(f"val_{name}"))
        # Learning the training split by heart does no harm by itself: validation must suffer.
        least = max(0.12 if turned else 0.2, 1.3 * facts.uncertainty(other))
        gap = train - other > (0.05 if _few(facts) else least)
        words = f"{name} was {number(train)} in training and {number(other)} in validation"
    if not (gap and val[best] > (0.06 if _few(facts) else 0.1) * facts.chance):
        return None
    turn = (
        f" The validation loss turned at epoch {best + 1 + len(facts.before)}, from "
        f"{number(val[best])} up to {number(val[-1])}."
        if turned
        else ""
    )
    return Finding(
        "overfitting",
        "The model overfits",
        f"At the end {words}.{turn}",
        tuple(_against_overfitting(facts)),
        causes=frozenset({"trained_too_long", "stopped_too_early"}),
    )


def _few(facts: Facts) -> bool:
    """Return whether there are less than ten examples a class, or a hundred with numbers."""
    classes = 10 if facts.task == "regression" else max(len(facts.class_shares), 1)
    return facts.counts.get("train", 0) < 10 * classes


def _against_overfitting(facts: Facts) -> list[Advice]:
    settings, found = facts.settings, []
    if settings.get("augmentation") == "none":
        found.append(Advice({"augmentation": "light"}, "Every epoch sees other pictures."))
    # With a handful of examples a class, dropout takes away what little there is to learn from.
    if settings.get("dropout", 0) < 0.3 and not _few(facts):
        found.append(Advice({"dropout": 0.5}, "The output layer relies on no single feature."))
    blocks = settings.get("trainable_blocks", 0)
    if blocks > 2 or blocks == -1:
        found.append(Advice({"trainable_blocks": 2}, "Fewer weights learn less by heart."))
    elif blocks:
        # A head alone takes the rate of the head phase.
        changes = {"trainable_blocks": 0, "learning_rate": settings["head_learning_rate"],
                   "epochs": 3 * settings["epochs"]}  # fmt: skip
        if _few(facts):  # measured on digits and tickets, 3 a class (tests/benchmarks/planted.py)
            changes["kernel_l2"] = max(0.1, settings.get("kernel_l2", 0.0))
        found.append(Advice(changes, "A head on fixed features learns the least by heart."))
    elif _few(facts) and not settings.get("kernel_l2"):
        changes = {"kernel_l2": 0.1, "epochs": 3 * settings["epochs"]}
        found.append(Advice(changes, "A small output layer, and time to find it: steps are few."))
    if not settings.get("kernel_l2"):
        found.append(Advice({"kernel_l2": 1e-3}, "Keeps the output layer small."))
    found.append(Advice({}, "More examples help most where there are few."))
    return found


def underfitting(facts: Facts) -> Finding | None:
    """Training and validation are both poor, and the curves are flat."""
    loss, val = facts.curve("loss"), facts.curve("val_loss")
    if len(loss) < 3 or not np.isfinite(loss).all():
        return None
    poor = loss[-1] > 0.5 * facts.chance and val[-1] > 0.5 * facts.chance
    flat = (loss[-2] - loss[-1]) / loss[-2] < 0.03
    if not (poor and flat):
        return None
    return Finding(
        "underfitting",
        "The model underfits",
        f"Training ({number(loss[-1])}) and validation ({number(val[-1])}) both ended near the "
        f"loss of a constant answer ({number(facts.chance)}), and the curve is flat.",
        tuple(_against_underfitting(facts)),
    )


def _against_underfitting(facts: Facts) -> list[Advice]:
    blocks = facts.settings.get("trainable_blocks", -1)
    found = []
    if blocks != -1:
        more = -1 if 0 < facts.blocks <= blocks + 2 else blocks + 2
        changes = {"trainable_blocks": more, "head_epochs": max(2, len(facts.head))}
        found.append(Advice(changes, "More of the backbone adapts to the task."))
    found.append(
        Advice(
            {"learning_rate": facts.settings["learning_rate"] * 3}, "Larger steps, the first try."
        )
    )
    return found


def batch_norm(facts: Facts) -> Finding | None:
    """Training is smooth and validation erratic: batches too small for their own statistics."""
    settings = facts.settings
    moving = settings.get("freeze_batch_norm") is False and settings.get("trainable_blocks") != 0
    val, loss = facts.curve("val_loss"), facts.curve("loss")
    if not moving or settings["batch_size"] > 16 or len(val) < 3:
        return None
    erratic = np.abs(np.diff(val)).mean() > 0.25 * np.median(val)
    apart = val.min() > 2.5 * loss[-1] + 0.1 * facts.chance
    if not (erratic or apart) or loss[-1] > 0.7 * loss[0]:
        return None
    return Finding(
        "batch_norm",
        "BatchNormalization has too few examples in a batch",
        f"The training loss fell from {number(loss[0])} to {number(loss[-1])} while the "
        f"validation loss went between {number(val.min())} and {number(val.max())}; "
        f"freeze_batch_norm is off and batch_size is {settings['batch_size']}.",
        (
            Advice(
                {"freeze_batch_norm": True, "batch_size": 32},
                "Keeps the statistics of the pretraining, and steadies the steps.",
            ),
            Advice({"batch_size": 32}, "Or larger batches alone."),
        ),
        causes=frozenset({"overfitting", "trained_too_long"}),
    )
