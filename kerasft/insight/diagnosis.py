"""Diagnosis of a run from its files alone: findings and advice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from kerasft.config import least_epochs
from kerasft.insight import rules
from kerasft.insight.commands import fit_command
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.findings import Finding
from kerasft.insight.notebook import Diagnosis
from kerasft.runs import Run, load_run
from kerasft.setting_declaration import settings

# In order of importance: first what invalidates every other number, then the learning rate, then
# over- and underfitting, then the limits of the data.
RULES: tuple[Callable[[Facts], Finding | None], ...] = (
    rules.data.leakage,
    rules.learning_rate.diverged,
    rules.generalization.over_regularized,
    rules.generalization.batch_norm,
    rules.learning_rate.learning_rate_too_high,
    rules.learning_rate.learning_rate_too_low,
    rules.generalization.no_signal,
    rules.classes.imbalance,
    rules.data.truncated,
    rules.generalization.collapsed,
    rules.generalization.overfitting,
    rules.epochs.stopped_too_early,
    rules.generalization.underfitting,
    rules.classes.hard_class,
    rules.gain.no_better_than_probe,
    rules.gain.no_better_than_untrained,
    rules.confidence.overconfident,
    rules.data.validation_too_small,
    rules.epochs.trained_too_long,
)


# What one or two epochs can show. The other rules judge a curve, which has only begun.
_EARLY = ("leakage", "diverged", "truncated", "stopped_too_early", "validation_too_small")
# Notes in a good fit. Its score excuses neither faulty data nor settings that harm every fit.
_NOTES_IF_GOOD = (
    "learning_rate_too_high",
    "learning_rate_too_low",
    "overfitting",
    "stopped_too_early",
)


def find(facts: Facts) -> list[Finding]:
    """Return the findings of all rules in order of importance, without consequences of others.

    After one or two epochs of the main phase, only rules that need no curve are run. Of a
    longer good fit, what could be better about rate, epochs or overfitting is a note.
    """
    found = [finding for rule in RULES if (finding := rule(facts)) is not None]
    if len(facts.main) < 3:
        found = [finding for finding in found if finding.name in _EARLY]
    elif facts.good:
        found = [
            dataclasses.replace(finding, fault=False) if finding.name in _NOTES_IF_GOOD else finding
            for finding in found
        ]
    explained: set[str] = set()
    independent = []
    for finding in found:
        if finding.name not in explained:
            independent.append(finding)
            explained |= finding.causes
    # A stable sort: faults come before notes.
    return sorted(independent, key=lambda finding: not finding.fault)


def diagnose(run: Run | str | Path) -> Diagnosis:
    """Return the findings about a run and the changes to try next.

    Args:
        run: Any run, finished or not, or its folder or name as in `load_run`. Only its files
            are read, neither model nor data.

    Returns:
        `state`, `epochs` (their number), `healthy`, and `findings` in order of importance, each
        with `name`, `title`, `evidence`, `fault` and `advice`: `changes` (settings), `why`, and
        `command` if there are changes. It is a dict whose text is what `kerasft diagnose` prints;
        a notebook shows it with the curve of the loss.

    Raises:
        SettingError: The run was not found.
        DamagedFileError: A file of the run is missing or damaged.

    Example:
        >>> kerasft.diagnose("latest")["findings"][0]["name"]
        'learning_rate_too_low'
    """
    run = load_run(run)
    facts = read_facts(run)
    findings = find(facts)
    return Diagnosis(
        run=str(run.path),
        state=facts.state,
        epochs=len(facts.rows),
        healthy=not any(finding.fault for finding in findings),
        findings=[_describe(facts, finding) for finding in findings],
    )


def valid_changes(facts: Facts, changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes with the further changes that make them valid settings."""
    changes, known = dict(changes), settings(facts.config_class)
    while refused := _refused(facts, changes):
        changes |= {name: known[name].declared_default for name in refused}
    now = {**facts.settings, **changes}
    blocks, every = now.get("trainable_blocks", -1), now.get("unfreeze_every", 0)
    least = least_epochs(every, facts.blocks if blocks == -1 else blocks)
    if changes and every and now["epochs"] < least:
        changes["epochs"] = least
    return changes


def _refused(facts: Facts, changes: dict[str, Any]) -> list[str]:
    """Return the unchanged settings that cannot be combined with changes."""
    known = settings(facts.config_class)
    defaults = {name: item.declared_default for name, item in known.items()}
    now = SimpleNamespace(**{**defaults, **facts.settings, **changes})
    return [
        name
        for name, item in known.items()
        if name not in changes and any(condition(now) for condition in item.refused_if)
    ]


def _describe(facts: Facts, finding: Finding) -> dict[str, Any]:
    advised = [(advice, valid_changes(facts, advice.changes)) for advice in finding.advice[:2]]
    return {
        "name": finding.name,
        "title": finding.title,
        "evidence": finding.evidence,
        "fault": finding.fault,
        "advice": [
            {
                "changes": changes,
                "why": advice.why,
                "command": command_with(facts, changes) if changes else None,
            }
            for advice, changes in advised
        ],
    }


def command_with(facts: Facts, changes: dict[str, Any]) -> str:
    """Return the command that fits a run's settings with changes."""
    values = {**facts.changed, **changes}
    for name in changes:
        # Another dataset has nothing of the recipe's own that would have to be unset.
        if values[name] is None and ("dataset" in values or facts.defaults.get(name, "") is None):
            del values[name]
    return fit_command(facts.recipe, values)


def clearly_wrong(facts: Facts) -> Finding | None:
    """Return a certain fault of a training in progress, or None.

    It is one that `diagnose` would name now. The warm-up is over for two epochs, and the losses are
    above that of a constant baseline: below it, the training may still end well.
    """
    if len(facts.settled) < 2:
        return None
    last = np.array([facts.curve("loss")[-1], facts.curve("val_loss")[-1]])
    if np.isfinite(last).all() and last.min() < facts.baseline_loss:
        return None
    rates = ("diverged", "learning_rate_too_high")
    return next((f for f in find(facts) if f.fault and f.name in rates), None)


def why_unrecoverable(facts: Facts) -> str:
    """Return why a training in progress cannot recover, or an empty string.

    The warm-up is over for two epochs, and the loss stays far above that of a constant baseline. Or
    five epochs have not improved on that baseline: the loss has not moved, or a better start is
    lost.
    """
    loss, baseline = facts.curve("loss"), facts.baseline_loss
    if len(facts.settled) >= 2 and rules.learning_rate.stays_high(facts):
        last, constant = facts.shown(loss[-1]), facts.shown(baseline)
        return f"The training loss is {last}, a constant baseline has {constant}"
    if len(loss) < 5 or not loss.min() > 0.97 * baseline:
        return ""
    if _start_is_lost(facts):
        return f"{rules.learning_rate.start(facts)}; {len(loss)} epochs did not come near it again"
    if loss[-1] > 0.995 * loss[0]:
        return f"In {len(loss)} epochs the training loss did not improve on a constant baseline"
    return ""


def _start_is_lost(facts: Facts) -> bool:
    """Return whether the main phase began below the loss of a constant baseline and lost that."""
    start, baseline = facts.start_loss, facts.baseline_loss
    was_better = start is not None and start < 0.9 * baseline
    return bool(was_better and facts.curve("val_loss").min() > 0.97 * baseline)
