"""Findings about classes: their balance, their names, their number of examples."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data_finding import DataFinding
from kerasft.errors import SettingError
from kerasft.formatting import is_blank
from kerasft.modalities import modality_of
from kerasft.tasks import Labels, task_of

# Ratios of the largest to the smallest class. At 4.5 weights raised the recall of rare classes on
# two sets (docs, benchmarks). Rare labels among several are usual.
_NOTED, _IMBALANCED = 4, 10
_FEW = 16  # training examples per class; more blocks start to help between 8 and 64


def find_class_problems(
    config: Config, parts: Mapping[str, Examples], labels: Labels
) -> list[DataFinding]:
    """Return findings about classes."""
    notes = [DataFinding("labels", "note", text) for text in labels.kind.label_notes(labels)]
    return [
        *_imbalance(config, parts, labels),
        *_missing(parts, labels),
        *notes,
        *_alike(labels),
        *_few(config, parts, labels),
    ]


def count_classes(examples: Examples) -> Counter[str]:
    """Return the number of examples of each class."""
    rows = examples.labels or ()
    return Counter(name for row in rows for name in (row if isinstance(row, tuple) else (row,)))


def _imbalance(config: Config, parts: Mapping[str, Examples], labels: Labels) -> list[DataFinding]:
    counts = count_classes(parts["train"])
    most, least = (function(labels.names, key=lambda n: counts[n]) for function in (max, min))
    changes = _weighting(config)
    noted = _NOTED if changes and not labels.kind.several else _IMBALANCED
    if counts[most] <= noted * counts[least]:
        return []
    text = (
        f"Classes are imbalanced: {most!r} has {counts[most]:,} training examples, {least!r} "
        f"{counts[least]:,}; compare macro F1"
    )
    if not changes:
        advice = f"Add examples of {least!r}."
        return [DataFinding("imbalanced", "note", f"{text}.", advice=advice)]
    tried = ", ".join(f"{name}={value}" for name, value in changes.items())
    level = "warning" if counts[most] > _IMBALANCED * counts[least] else "note"
    return [DataFinding("imbalanced", level, f"{text}, and try {tried}.", changes=changes)]


def _weighting(config: Config) -> dict[str, Any]:
    """Return a change that gives rare classes more weight, none if the config has or refuses it.

    The focal loss helps with several labels per example, but not with one class.
    """
    several = task_of(config.task).several
    name, value = ("loss", "focal") if several else ("class_weight", "balanced")
    changes: dict[str, Any] = {name: value}
    if getattr(config, name) == value:
        return {}
    try:
        dataclasses.replace(config, **changes)
    except SettingError:  # with mixed images
        return {}
    return changes


def _missing(parts: Mapping[str, Examples], labels: Labels) -> list[DataFinding]:
    findings = []
    for name in ("validation", "test"):
        found = count_classes(parts[name])
        missing = [label for label in labels.names if not found[label]]
        if missing:
            shown = ", ".join(repr(label) for label in missing[:3])
            shown += ", ..." if len(missing) > 3 else ""
            kind = "class has" if len(missing) == 1 else "classes have"
            text = f"{len(missing)} {kind} no example in the {name} split: {shown}."
            advice = "Add examples of them: their scores cannot be measured."
            findings.append(DataFinding("missing_classes", "warning", text, advice=advice))
    return findings


def _alike(labels: Labels) -> list[DataFinding]:
    """Return findings about class names that a person would read as one."""
    groups: dict[str, list[str]] = {}
    for name in labels.names:
        same = unicodedata.normalize("NFKC", name).casefold()
        groups.setdefault("".join(c for c in same if not is_blank(c)), []).append(name)
    return [
        DataFinding(
            "classes_alike",
            "warning",
            f"Classes {_spelled(names)} differ only in case, spaces or Unicode form; correct the "
            "labels if they are one class.",
        )
        for names in groups.values()
        if len(names) > 1
    ]


def _spelled(names: list[str]) -> str:
    """Return names so that they look different: as escapes if only their Unicode forms differ."""
    composed = {unicodedata.normalize("NFC", name) for name in names}
    return ", ".join(map(repr if len(composed) == len(names) else ascii, names))


def _few(config: Config, parts: Mapping[str, Examples], labels: Labels) -> list[DataFinding]:
    each = len(parts["train"]) / len(labels.names)
    if labels.kind.several or each >= _FEW or config.trainable_blocks in (0, 1):
        return []
    notes = modality_of(config).few_examples_note(config, each)
    return [DataFinding("few_examples", "note", text) for text in notes]
