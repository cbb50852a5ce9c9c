"""Data audit: notes on problems that make scores unreliable, and a summary."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import SPLITS, Data, Examples, Split
from kerasft.formatting import is_blank
from kerasft.modalities import modality_of
from kerasft.tasks import Labels, task_of

_IMBALANCE = 10  # ratio of the largest to the smallest class above which a note is given
_FEW = 16  # training examples per class; more blocks start to help between 8 and 64
_SMALL_TEST = 200  # examples; with fewer, an accuracy of 90% is uncertain by more than 4 points


def audit_examples(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples], labels: Labels
) -> list[str]:
    """Return notes about splits, duplicates, conflicting labels and classes.

    Args:
        config: Settings.
        given: Splits of the source, before the missing ones were split off.
        parts: All three splits.
        labels: Task and class names.
    """
    notes = _note_made(config, given, parts)
    notes += _note_duplicates(parts)
    if labels.names:
        notes += _note_conflicts(parts) + _note_classes(parts, labels)
        notes += labels.kind.label_notes(labels) + _note_alike(labels)
        notes += _note_few(config, parts, labels)
    return notes + _note_small(parts, labels)


def measure_examples(parts: Mapping[str, Examples], labels: Labels) -> dict[str, Any]:
    """Return the numbers behind the notes, JSON-serializable.

    Args:
        parts: All three splits.
        labels: Task and class names.

    Returns:
        `class_counts` of the training split (not for regression), and `duplicates`: the number of
        examples of a split that also occur in another one, by `split/other`.
    """
    double = {f"{n}/{other}": len(pairs) for n, other, pairs in _duplicates(parts)}
    found: dict[str, Any] = {"duplicates": double}
    if labels.names:
        counts = _count(parts["train"])
        found["class_counts"] = {name: counts[name] for name in labels.names}
    return found


def _note_made(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples]
) -> list[str]:
    made = [f"{len(parts[name]):,} {name}" for name in SPLITS if name not in given]
    if not made:
        return []
    by = task_of(config.task).stratified_by
    return [
        f"Split off the training set: {', '.join(made)} (stratified by {by}, seed {config.seed})."
    ]


def _duplicates(
    parts: Mapping[str, Examples],
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield pairs of splits that share examples, with the origins of these in both."""
    for name, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        origins = dict(zip(parts[other].content_hashes, parts[other].origins, strict=True))
        double = [
            (origin, origins[content])
            for content, origin in zip(parts[name].content_hashes, parts[name].origins, strict=True)
            if content in origins
        ]
        if double:
            yield name, other, double


def _note_duplicates(parts: Mapping[str, Examples]) -> list[str]:
    notes = []
    for name, other, double in _duplicates(parts):
        first, second = double[0]
        count = f"{len(double)} {'example' if len(double) == 1 else 'examples'}"
        verb = "is" if len(double) == 1 else "are"
        notes.append(
            f"{count} of the {name} split {verb} also in the {other} split (for example "
            f"{first} = {second}); scores may be inflated."
        )
    return notes


def _note_conflicts(parts: Mapping[str, Examples]) -> list[str]:
    first: dict[str, tuple[Any, str]] = {}
    conflicts: dict[str, str] = {}
    for part in parts.values():
        rows = zip(part.content_hashes, part.labels or (), part.origins, strict=True)
        for content, label, origin in rows:
            known, where = first.setdefault(content, (label, origin))
            if known != label:
                conflicts.setdefault(content, f"{where} ({known}) and {origin} ({label})")
    if not conflicts:
        return []
    example = next(iter(conflicts.values()))
    kind = "input has" if len(conflicts) == 1 else "inputs have"
    return [f"{len(conflicts)} {kind} conflicting labels, for example {example}."]


def _count(examples: Examples) -> Counter[str]:
    rows = examples.labels or ()
    return Counter(name for row in rows for name in (row if isinstance(row, tuple) else (row,)))


def _note_classes(parts: Mapping[str, Examples], labels: Labels) -> list[str]:
    notes = []
    counts = _count(parts["train"])
    most, least = (function(labels.names, key=lambda n: counts[n]) for function in (max, min))
    if counts[most] > _IMBALANCE * counts[least]:
        notes.append(
            f"Classes are imbalanced: {most!r} has {counts[most]:,} training examples, {least!r} "
            f"{counts[least]:,}; compare macro F1, and try class_weight=balanced."
        )
    for name in ("validation", "test"):
        found = _count(parts[name])
        missing = [label for label in labels.names if not found[label]]
        if missing:
            shown = ", ".join(repr(label) for label in missing[:3])
            shown += ", ..." if len(missing) > 3 else ""
            kind = "class has" if len(missing) == 1 else "classes have"
            notes.append(f"{len(missing)} {kind} no example in the {name} split: {shown}.")
    return notes


def _note_alike(labels: Labels) -> list[str]:
    """Return notes about class names that a person would read as one."""
    groups: dict[str, list[str]] = {}
    for name in labels.names:
        same = unicodedata.normalize("NFKC", name).casefold()
        groups.setdefault("".join(c for c in same if not is_blank(c)), []).append(name)
    return [
        f"Classes {_spelled(names)} differ only in case, spaces or Unicode form; correct the "
        "labels if they are one class."
        for names in groups.values()
        if len(names) > 1
    ]


def _spelled(names: list[str]) -> str:
    """Return names so that they look different: as escapes if only their Unicode forms differ."""
    composed = {unicodedata.normalize("NFC", name) for name in names}
    return ", ".join(map(repr if len(composed) == len(names) else ascii, names))


def _note_few(config: Config, parts: Mapping[str, Examples], labels: Labels) -> list[str]:
    each = len(parts["train"]) / len(labels.names)
    if labels.kind.several or each >= _FEW or config.trainable_blocks in (0, 1):
        return []
    return modality_of(config).few_examples_note(each)


def _note_small(parts: Mapping[str, Examples], labels: Labels) -> list[str]:
    count = len(parts["test"])
    if count >= _SMALL_TEST:
        return []
    return [labels.kind.small_test_note(count)]


def note_truncated(config: Config, splits: Mapping[str, Split]) -> tuple[list[str], float]:
    """Return a note if texts were truncated to `sequence_length`, and the fraction of them."""
    modality = modality_of(config)
    total = sum(len(split) for split in splits.values())
    cut = sum(
        modality.count_truncated(config, split.examples, split.x) for split in splits.values()
    )
    if not cut:
        return [], 0.0
    length = modality.length_setting
    note = (
        f"{cut:,} of {total:,} {modality.name} ({cut / total:.1%}) were truncated to "
        f"{getattr(config, length)} tokens ({length})."
    )
    return [note], cut / total


def summarize(data: Data) -> str:
    """Return a summary of the data for people: sizes, classes, notes.

    Args:
        data: Dataset from `load_data`.

    Example:
        >>> print(summarize(load_data(ImageConfig(dataset="builtin:digits"))))
    """
    splits = {name: split for name in SPLITS if (split := getattr(data, name)) is not None}
    lines = ["  ".join(f"{name} {len(split):,}" for name, split in splits.items())]
    if not data.labels.names:
        scale = " (log)" if data.labels.transform == "log" else ""
        mean, deviation = f"{data.labels.mean:,.6g}", f"{data.labels.std:,.6g}"
        lines.append(f"target{scale}  mean {mean}, standard deviation {deviation}")
    else:
        lines += _class_table(splits, data.labels)
    return "\n".join([*lines, *(f"- {note}" for note in data.notes)])


def _class_table(splits: Mapping[str, Split], labels: Labels) -> list[str]:
    counts = {name: _count(split.examples) for name, split in splits.items()}
    width = max(len("class"), *(len(name) for name in labels.names))
    header = f"{'class':<{width}}" + "".join(f"{name:>12}" for name in counts)
    rows = [
        f"{label:<{width}}" + "".join(f"{found[label]:>12,}" for found in counts.values())
        for label in labels.names
    ]
    shown = rows if len(rows) <= 20 else [*rows[:20], f"... {len(rows) - 20} more classes"]
    return [f"{len(labels.names)} classes", header, *shown]
