"""What a person should know about the data before a number is believed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kerasft.config import Config, TextConfig
from kerasft.data.examples import SPLITS, Data, Examples, Labels, Split
from kerasft.data.labels import is_whole
from kerasft.data.texts import count_truncated

_IMBALANCE = 10  # largest class against smallest, from which on it is worth a note
_FEW = 16  # training examples a class; between 8 and 64 more blocks begin to pay (README, ways)
_SMALL_TEST = 200  # examples; below, 90 % measured is uncertain by more than 4 points


def audit_examples(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples], labels: Labels
) -> list[str]:
    """Return notes about splits, duplicates, classes and contradictions.

    Args:
        config: The settings.
        given: The splits as they were read.
        parts: All three splits.
        labels: The classes.
    """
    notes = _note_made(config, given, parts)
    notes += _note_duplicates(parts)
    if labels.task != "regression":
        notes += _note_conflicts(parts) + _note_classes(parts, labels) + _note_order(labels)
        notes += _note_few(config, parts, labels)
    return notes + _note_small(parts, labels)


def measure_examples(parts: Mapping[str, Examples], labels: Labels) -> dict[str, Any]:
    """Return what notes say as numbers, fit for JSON.

    Args:
        parts: All three splits.
        labels: The classes.

    Returns:
        `class_counts` of the training split (not for regression), and `duplicates`: how many
        examples of a split stand in another one too, by `split/other`.
    """
    double = {f"{n}/{other}": len(pairs) for n, other, pairs in _duplicates(parts)}
    found: dict[str, Any] = {"duplicates": double}
    if labels.task != "regression":
        counts = _count(parts["train"])
        found["class_counts"] = {name: counts[name] for name in labels.names}
    return found


def _note_made(
    config: Config, given: Mapping[str, Examples], parts: Mapping[str, Examples]
) -> list[str]:
    made = [f"{name} ({len(parts[name]):,})" for name in SPLITS if name not in given]
    if not made:
        return []
    by = {"classification": "class", "multilabel": "set of labels", "regression": "quantile"}
    verb = "was" if len(made) == 1 else "were"
    return [
        f"{' and '.join(made).capitalize()} {verb} made out of the training examples, stratified "
        f"by {by[config.task]}, seed {config.seed}."
    ]


def _duplicates(
    parts: Mapping[str, Examples],
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield two splits and the origins of what stands in both, where anything does."""
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
        verb = "stands" if len(double) == 1 else "stand"
        notes.append(
            f"{count} of the {name} split {verb} also in the {other} split, for example "
            f"{first} = {second}; scores may be too good."
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
    kind = "input stands" if len(conflicts) == 1 else "inputs stand"
    return [f"{len(conflicts)} {kind} there with different labels, for example {example}."]


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
            f"{counts[least]:,}; look at macro F1, and try class_weight=balanced."
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


def _note_order(labels: Labels) -> list[str]:
    """Numbers from 0 on are mostly the places of classes in a list; others may be a scale."""
    numbers = [int(name) for name in labels.names if is_whole(name)]
    if labels.task != "classification" or not 3 <= len(labels.names) == len(numbers):
        return []
    if 0 in numbers:
        return []
    return [
        f"Labels are whole numbers ({numbers[0]} to {numbers[-1]}), taken as {len(numbers)} "
        "classes; if they are a scale (stars, grades), try task=regression."
    ]


def _note_few(config: Config, parts: Mapping[str, Examples], labels: Labels) -> list[str]:
    """Measured on Banking77 with MiniLM (README, ways to tune); other texts may differ."""
    each = len(parts["train"]) / len(labels.names)
    single = labels.task == "classification" and isinstance(config, TextConfig)
    if not single or each >= _FEW or config.trainable_blocks in (0, 1):
        return []
    return [
        f"The training split has {each:.0f} texts a class: with so few the top block alone is "
        "mostly as good as more of the model, and faster (--trainable-blocks 1 --epochs 8)."
    ]


def _note_small(parts: Mapping[str, Examples], labels: Labels) -> list[str]:
    count = len(parts["test"])
    if count >= _SMALL_TEST:
        return []
    if labels.task == "regression":
        return [f"The test split has only {count} examples: its scores are rough."]
    # Normal approximation of the 95 % interval around an accuracy of 90 %.
    points = 100 * 1.96 * math.sqrt(0.9 * 0.1 / count)
    return [
        f"The test split has only {count} examples: an accuracy of 90 % on it is known to about "
        f"{points:.0f} points either way."
    ]


def note_truncated(config: Config, splits: Mapping[str, Split]) -> tuple[list[str], float]:
    """Return a note where texts were cut at `sequence_length`, and the share that was."""
    if not isinstance(config, TextConfig):
        return [], 0.0
    total = sum(len(split) for split in splits.values())
    cut = sum(count_truncated(config, split.examples, split.x) for split in splits.values())
    if not cut:
        return [], 0.0
    note = (
        f"{cut:,} of {total:,} texts ({cut / total:.1%}) were cut at {config.sequence_length} "
        "tokens (sequence_length)."
    )
    return [note], cut / total


def summarize(data: Data) -> str:
    """Return a short text about the data: sizes, classes, notes.

    Args:
        data: As `load_data` gives it.

    Example:
        >>> print(summarize(load_data(ImageConfig(dataset="builtin:digits"))))
    """
    splits = {name: split for name in SPLITS if (split := getattr(data, name)) is not None}
    lines = ["  ".join(f"{name} {len(split):,}" for name, split in splits.items())]
    if data.labels.task == "regression":
        scale = " of the logarithm" if data.labels.transform == "log" else ""
        mean, deviation = f"{data.labels.mean:,.6g}", f"{data.labels.std:,.6g}"
        lines.append(f"target  mean{scale} {mean}, deviation {deviation}")
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
