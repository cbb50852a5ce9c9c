"""Data audit: findings about problems that make scores unreliable, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kerasft.config import Config
from kerasft.data.audit.classes import count_classes, find_class_problems
from kerasft.data.audit.duplicates import (
    exact_duplicates,
    find_conflicts,
    find_duplicates,
    find_near_duplicates,
    find_repeated,
)
from kerasft.data.audit.targets import find_outliers
from kerasft.data.examples import SPLITS, Examples, Split
from kerasft.data.splits import split_seed
from kerasft.data_finding import DataFinding, longer_length
from kerasft.modalities import modality_of
from kerasft.tasks import Labels, task_of

_SMALL_TEST = 200  # examples; with fewer, an accuracy of 90% is uncertain by more than 4 points
_MANY_TRUNCATED = 0.1  # share of truncated texts above which it matters


def audit_examples(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples], labels: Labels
) -> list[DataFinding]:
    """Return findings about splits, duplicates, conflicting labels, classes and targets.

    Args:
        config: Settings.
        given: Splits of the source, before the missing ones were split off.
        parts: All three splits.
        labels: Task and class names.
    """
    findings = _find_made(config, given, parts)
    findings += find_duplicates(parts)
    if labels.names:
        findings += find_conflicts(parts) + find_class_problems(config, parts, labels)
    else:
        findings += find_outliers(config, parts["train"], labels)
    return findings + find_repeated(parts) + _find_small(parts, labels)


def audit_inputs(
    config: Config,
    parts: Mapping[str, Examples],
    labels: Labels,
    arrays: Sequence[Any] | None = None,
) -> list[DataFinding]:
    """Return findings about faults of single inputs, and about near duplicates.

    Args:
        config: Settings.
        parts: All three splits.
        labels: Task and class names.
        arrays: Prepared inputs of each split, None before they are prepared.
    """
    audit = modality_of(config).audit(config, list(parts.values()), arrays)
    near = find_near_duplicates(parts, audit.alike, labeled=bool(labels.names))
    return [*audit.findings, *near]


def measure_examples(parts: Mapping[str, Examples], labels: Labels) -> dict[str, Any]:
    """Return the numbers behind the findings, JSON-serializable.

    Args:
        parts: All three splits.
        labels: Task and class names.

    Returns:
        `class_counts` of the training split (not for regression), and `duplicates`: the number of
        examples of a split that also occur in another one, by `split/other`.
    """
    double = {f"{n}/{other}": len(pairs) for n, other, pairs in exact_duplicates(parts)}
    found: dict[str, Any] = {"duplicates": double}
    if labels.names:
        counts = count_classes(parts["train"])
        found["class_counts"] = {name: counts[name] for name in labels.names}
    return found


def _find_made(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples]
) -> list[DataFinding]:
    made = [f"{len(parts[name]):,} {name}" for name in SPLITS if name not in given]
    if not made:
        return []
    by = task_of(config.task).stratified_by
    seed = split_seed(config)
    text = f"Split off the training set: {', '.join(made)} (stratified by {by}, seed {seed})."
    return [DataFinding("split_off", "note", text)]


def _find_small(parts: Mapping[str, Examples], labels: Labels) -> list[DataFinding]:
    count = len(parts["test"])
    if count >= _SMALL_TEST:
        return []
    return [DataFinding("small_test", "note", labels.kind.small_test_note(count))]


def find_truncated(config: Config, splits: Mapping[str, Split]) -> tuple[list[DataFinding], float]:
    """Return a finding if texts were truncated to `sequence_length`, and the fraction of them."""
    modality = modality_of(config)
    total = sum(len(split) for split in splits.values())
    cut = sum(
        modality.count_truncated(config, split.examples, split.x) for split in splits.values()
    )
    if not cut:
        return [], 0.0
    name = modality.length_setting
    length = getattr(config, name)
    text = (
        f"{cut:,} of {total:,} {modality.name} ({cut / total:.1%}) were truncated to "
        f"{length} tokens ({name})."
    )
    level = "warning" if cut >= _MANY_TRUNCATED * total else "note"
    changes = {name: longer_length(length)}
    return [DataFinding("truncated", level, text, cut, changes=changes)], cut / total
