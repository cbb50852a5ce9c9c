"""Rules about the learning rate, the first thing to check.

Each rule reads `Facts` and returns a Finding or None. Thresholds were chosen on fits with injected
faults and are checked on others (tests/benchmarks/planted.py prints both tables).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding, rounded

LOWER, HIGHER = 0.1, 10.0  # factors of the first change towards a usable rate
_LITTLE_HIGHER = 3.0  # within the usable range
_FEW_STEPS = 20  # of an epoch: the mean of their losses is still that of a new output layer
_SOLVED = 0.15  # of a constant baseline's loss: below it, there is little left to learn
_HARDLY = 0.88  # of the loss before; with 3 to 10 times the rate it fell further (docs, benchmarks)
_MEMORIZED = 0.4  # of the first training loss: below it, larger steps are not what is missing
_IDLE_RATE = 0.05  # of the peak: below it, an epoch shows noise and no slope


def diverged(facts: Facts) -> Finding | None:
    """Detect a loss that became NaN or infinite, or ended far above a constant baseline.

    A rate at which the loss stays far above that of a constant baseline is above the
    stable range (Goodfellow, Bengio, Courville 2016, section 8.3.1 and figure 11.1).
    """
    changes = _slower(facts, 0.01)
    if facts.failure == "diverged":
        name = "learning_rate"
        if _ended_in_head_phase(facts):
            name = "head_learning_rate"
            changes = {name: _changed(facts, name, 0.01, min)}
        rate = number(facts.settings[name])
        evidence = facts.reason.split(", at")[0] + f"; {name} was {rate}."
    else:
        if not stays_high(facts):
            return None
        evidence = (
            f"The training loss ended at {facts.shown(facts.curve('loss')[-1])}; a constant "
            f"baseline has {facts.shown(facts.baseline_loss)}."
        )
    return Finding(
        "diverged",
        "The training diverged",
        evidence,
        (
            Advice(changes, "A rate this much lower is almost always stable."),
            *_clip(facts),
        ),
        causes=frozenset({"learning_rate_too_high", "learning_rate_too_low", "collapsed",
                          "underfitting", "no_signal", "validation_too_small", "overfitting",
                          "over_regularized", "stopped_too_early"}),
    )  # fmt: skip


def _ended_in_head_phase(facts: Facts) -> bool:
    """Return whether the last epoch, which has no record, was one of the head phase."""
    epochs = facts.settings.get("head_epochs")
    return isinstance(epochs, int) and len(facts.rows) < epochs


def stays_high(facts: Facts) -> bool:
    """Return whether the training loss is not finite, or far above a constant baseline.

    The first epoch alone does not show it, nor does a loss that still falls fast: a new output
    layer may begin that high.
    """
    loss = facts.curve("loss")
    if len(loss) and not np.isfinite(loss).all():
        return True
    return (
        len(loss) >= 2 and min(loss[-2:]) >= 3 * facts.baseline_loss and loss[-1] > 0.7 * loss[-2]
    )


def _clip(facts: Facts) -> tuple[Advice, ...]:
    if facts.settings.get("gradient_clip"):
        return ()
    return (Advice({"gradient_clip": 1.0}, "Limits the norm of every step."),)


def _slower(facts: Facts, factor: float) -> dict[str, float]:
    head = bool(facts.head and _wild(facts, facts.head))
    return _with_rates(facts, factor, min, head=head)


def _with_rates(
    facts: Facts, factor: float, further: Callable[..., float], *, head: bool
) -> dict[str, float]:
    """Return changed learning rates, of the head phase too where `head` is set.

    A linear probe trains the head in both phases: it gets one phase, and one rate.
    """
    changes = {"learning_rate": _changed(facts, "learning_rate", factor, further)}
    if facts.head and facts.settings.get("trainable_blocks") == 0:
        return {**changes, "head_epochs": 0}
    if head:
        changes["head_learning_rate"] = _changed(facts, "head_learning_rate", factor, further)
    return changes


def _changed(facts: Facts, name: str, factor: float, further: Callable[..., float]) -> float:
    """Return a rate changed by a factor, or the recipe's default if that is a larger change."""
    rate = facts.settings[name] * factor
    # A linear probe uses the learning rate of the head phase.
    alone = facts.settings.get("trainable_blocks") == 0
    default = facts.defaults.get("head_learning_rate" if alone else name)
    return rounded(rate if not isinstance(default, int | float) else further(rate, default))


def _wild(facts: Facts, rows: list[dict[str, Any]]) -> str:
    """Return the evidence in a phase for a learning rate that is too high, or an empty string.

    The training loss alone is no evidence: dropout raises it, and a random output layer starts
    above a constant baseline.
    """
    loss, val = facts.curve("loss", rows), facts.curve("val_loss", rows)
    baseline = facts.baseline_loss
    if not len(loss) or not np.isfinite(val).all():
        return ""
    both = np.minimum(loss, val)
    begun = _only_begun_high(facts, rows, both)
    high = both.argmax() > 0 or (both.max() > 2 * baseline and not begun)
    if both.max() > 1.5 * baseline and high:
        epoch = rows[int(both.argmax())]["epoch"]
        return (
            f"In epoch {epoch} the training and validation losses were "
            f"{facts.shown(loss[both.argmax()])} and {facts.shown(val[both.argmax()])}; a "
            f"constant baseline has {facts.shown(baseline)}"
        )
    steps = np.diff(loss)
    rises = np.flatnonzero(steps > np.maximum(0.1 * loss[:-1], 0.03 * baseline))
    if len(rises) >= 2 and len(rises) >= len(steps) / 4:
        jump = int(rises[np.argmax(steps[rises])])
        return (
            f"The training loss rose in {len(rises)} of {len(steps)} epochs, once from "
            f"{facts.shown(loss[jump])} to {facts.shown(loss[jump + 1])}"
        )
    rose = bool((steps > 0.1 * loss[:-1]).any())
    if rose and loss.min() > 0.93 * baseline and loss.max() > 1.05 * baseline:
        return (
            f"The training loss went from {facts.shown(loss[0])} to "
            f"{facts.shown(loss[-1])} and was never below the {facts.shown(baseline)} of a "
            "constant baseline"
        )
    return ""


def _only_begun_high(facts: Facts, rows: list[dict[str, Any]], losses: np.ndarray) -> bool:
    """Return whether a high first epoch shows a new output layer rather than too large steps.

    It does if the epoch is the only one. It also does if it is the first of the training, has few
    steps, begins within ten times the loss of a constant baseline, and the loss falls below that.
    """
    if len(losses) < 2:
        return True
    steps = facts.counts.get("train", 0) / facts.settings.get("batch_size", 1)
    new = rows[0]["epoch"] == 1 and steps < _FEW_STEPS and losses[0] < 10 * facts.baseline_loss
    return bool(new and losses[-1] < facts.baseline_loss)


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """Detect a loss that diverges, jumps between epochs, or rises after unfreezing.

    If only the head phase shows it, its rate alone is too high; a linear probe has one rate.
    """
    loss, phase, rate = facts.curve("loss"), "", "learning_rate"
    changes = _slower(facts, LOWER)
    evidence = _wild(facts, facts.main)
    if not evidence and (evidence := _wild(facts, facts.head)):
        phase, rate = "head phase, ", "head_learning_rate"
        if facts.settings.get("trainable_blocks") != 0:
            changes = {rate: changes[rate]}
    before = facts.start_loss
    if not evidence and before is not None and len(loss):
        # Unfreezing must not lose what the head has learned.
        after = facts.curve("val_loss").min()
        if after > 1.2 * before and after - before > 0.1 * facts.baseline_loss:
            lowest = facts.shown(after)
            evidence = f"{start(facts)}; the main phase never came below {lowest}"
    if not evidence:
        return None
    return Finding(
        "learning_rate_too_high",
        "The learning rate is too high",
        f"{evidence} ({phase}{rate} {number(facts.settings[rate])}).",
        (
            Advice(changes, "Smaller steps do not overshoot the minimum."),
            *_longer_warmup(facts),
        ),
        causes=frozenset({"collapsed", "underfitting", "no_signal", "overfitting", "batch_norm",
                          "trained_too_long", "over_regularized", "stopped_too_early"})
        | ({"learning_rate_too_low"} if not phase else set()),  # of the main phase
    )  # fmt: skip


def start(facts: Facts) -> str:
    """Return what came before trained blocks, with its loss, for the evidence."""
    what = "The head phase ended with" if facts.head else "The linear probe at the start had"
    return f"{what} a validation loss of {facts.shown(facts.start_loss or 0.0)}"


def _longer_warmup(facts: Facts) -> tuple[Advice, ...]:
    if facts.settings.get("warmup_fraction", 1) >= 0.1:
        return ()
    return (Advice({"warmup_fraction": 0.1}, "The first steps are the least stable."),)


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """Detect a loss that falls slowly and steadily, or stays where a linear probe has left it."""
    evidence, changes = _falls_steadily(facts), _faster(facts)
    if not evidence:
        # Not the default of the recipe: it may be the rate from which a user has come down.
        rate = rounded(facts.settings["learning_rate"] * _LITTLE_HIGHER)
        evidence, changes = _stays_at_the_probe(facts), {"learning_rate": rate}
    if not evidence:
        return None
    return Finding(
        "learning_rate_too_low",
        "The learning rate is too low",
        f"{evidence} (learning_rate {number(facts.settings['learning_rate'])}).",
        (
            Advice(changes, "Larger steps reach a lower loss in the same time."),
            Advice(
                {"epochs": 3 * facts.settings["epochs"]},
                "Or more steps, if training time is no concern.",
            ),
        ),
        causes=frozenset({"underfitting", "overfitting", "stopped_too_early", "no_signal",
                          "collapsed", "no_better_than_probe"}),
    )  # fmt: skip


def _falls_steadily(facts: Facts) -> str:
    """Return the evidence that the loss falls slowly, for its rate as fast at the end as before.

    The fall per epoch is divided by its learning rate, so that a schedule that ends near zero does
    not look like convergence. Epochs of nearly no learning rate are left out: the quotient would be
    noise. It is the fall of the validation loss, which has no dropout.
    """
    loss, rate = facts.curve("loss"), facts.curve("learning_rate")
    val = facts.curve("val_loss")
    if len(val) < 3 or not np.isfinite(loss).all() or not np.isfinite(val).all():
        return ""
    # After a head phase, the main phase starts from its loss.
    slow_start = val[0] > 0.7 * facts.baseline_loss or bool(facts.before and val[-1] > 0.8 * val[0])
    unsolved = val[-1] > _SOLVED * facts.baseline_loss
    fall = (val[0] - val[-1]) / val[0]
    falls = (-np.diff(val) / np.maximum(rate[1:], 1e-12))[rate[1:] > _IDLE_RATE * rate.max()]
    if len(falls) < 2:
        return ""
    third = max(len(falls) // 3, 1)
    steady = falls[-third:].mean() > 0.35 * falls[:third].mean() > 0
    together = (
        val[-1] < 1.15 * loss[-1] + 0.02 * facts.baseline_loss and val[-1] <= 1.002 * val.min()
    )
    if not (slow_start and unsolved and 0.0005 < fall < 0.6 and steady and together):
        return ""
    return (
        f"In {len(val)} epochs the validation loss fell from {facts.shown(val[0])} to "
        f"{facts.shown(val[-1])}, together with the training loss "
        f"({facts.shown(loss[-1])}). For its learning rate it fell nearly as fast at the end as at "
        "the beginning: larger steps are possible"
    )


def _stays_at_the_probe(facts: Facts) -> str:
    """Return the evidence that the blocks add little after a start as a linear probe.

    The probe has found the best head for the frozen features. What the trained blocks add shows in
    the validation loss of the main phase; a training loss far below it is that of the probe too.
    """
    val, loss = facts.curve("val_loss"), facts.curve("loss", facts.head or facts.main[:1])
    before = facts.start_loss
    if len(val) < 3 or not facts.probe or before is None or not np.isfinite(val).all():
        return ""
    stays = val.min() > _HARDLY * before and val.max() < 1.15 * before
    overfits = facts.curve("loss").min() < _MEMORIZED * loss[-1]
    solved = val.min() < _SOLVED * facts.baseline_loss
    if not stays or overfits or solved or facts.settings.get("trainable_blocks") == 0:
        return ""
    near = ", near that of a linear probe" if facts.head else ""
    return (
        f"{start(facts)}{near}. In {len(val)} epochs of the main phase its lowest was "
        f"{facts.shown(val.min())}: the trained blocks have added little"
    )


def _faster(facts: Facts) -> dict[str, float]:
    loss = facts.curve("loss", facts.head)
    head = bool(len(loss) and loss[-1] > 0.7 * facts.baseline_loss)
    return _with_rates(facts, HIGHER, max, head=head)
