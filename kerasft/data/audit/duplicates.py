"""Findings about examples that occur twice: exactly, or nearly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kerasft.data.examples import Examples
from kerasft.data_finding import DataFinding, listed

_MOST = 0.5  # share of a split above which a leak or a conflict makes training wrong
_PAIRS = (("test", "train"), ("validation", "train"), ("test", "validation"))
_ONE_SPLIT = (
    "Remove them from one of the splits, or give the data without splits: equal examples stay "
    "in one."
)
_NEAR = "Remove them from one of the splits."
_REMOVE = "Remove them, or leave one of each."
_CORRECT = "Correct the labels, or remove these examples."


def exact_duplicates(
    parts: Mapping[str, Examples],
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield pairs of splits that share examples, with the origins of these in both."""
    for name, other in _PAIRS:
        origins = dict(zip(parts[other].content_hashes, parts[other].origins, strict=True))
        double = [
            (origin, origins[content])
            for content, origin in zip(parts[name].content_hashes, parts[name].origins, strict=True)
            if content in origins
        ]
        if double:
            yield name, other, double


def find_duplicates(parts: Mapping[str, Examples]) -> list[DataFinding]:
    """Return a finding for each pair of splits that share examples."""
    findings = []
    for name, other, double in exact_duplicates(parts):
        shown = [f"{origin} = {same}" for origin, same in double]
        what = f"also in the {other} split"
        level = _level(len(shown), len(parts[name]))
        findings += _leak("duplicates", level, shown, name, what, advice=_ONE_SPLIT)
    return findings


def _leak(
    name: str, level: str, shown: Sequence[str], split: str, what: str, *, advice: str
) -> list[DataFinding]:
    """Return a finding about examples of a split that occur in another one."""
    nouns = (f"example of the {split} split is", f"examples of the {split} split are")
    return listed(name, level, shown, nouns, f"{what} and may inflate scores", advice=advice)


def _level(number: int, total: int) -> str:
    """Return the level of a finding about some of all examples."""
    return "error" if number > _MOST * total else "warning"


def find_conflicts(parts: Mapping[str, Examples]) -> list[DataFinding]:
    """Return a finding about equal inputs with different labels."""
    first: dict[str, tuple[Any, str]] = {}
    conflicts: dict[str, str] = {}
    for part in parts.values():
        rows = zip(part.content_hashes, part.labels or (), part.origins, strict=True)
        for content, label, origin in rows:
            known, where = first.setdefault(content, (label, origin))
            if known != label:
                conflicts.setdefault(content, f"{where} ({known}) and {origin} ({label})")
    level, shown = _level(len(conflicts), len(first)), list(conflicts.values())
    return listed(
        "conflicting_labels", level, shown, ("input has", "inputs have"), "conflicting labels",
        advice=_CORRECT,
    )  # fmt: skip


def find_repeated(parts: Mapping[str, Examples]) -> list[DataFinding]:
    """Return a finding about equal inputs with equal labels within the training split."""
    train = parts["train"]
    first: dict[tuple[str, Any], str] = {}
    double = []
    rows = zip(train.content_hashes, train.labels or (), train.origins, strict=True)
    for content, label, origin in rows:
        before = first.setdefault((content, label), origin)
        if before != origin:
            double.append(f"{origin} = {before}")
    nouns = ("training example repeats", "training examples repeat")
    return listed("repeated", "note", double, nouns, "another one", advice=_REMOVE)


def find_near_duplicates(
    parts: Mapping[str, Examples], groups: Sequence[Sequence[int]], *, labeled: bool
) -> list[DataFinding]:
    """Return findings about examples that look or read alike, without exact duplicates.

    Args:
        parts: All splits.
        groups: Groups of alike examples, as positions in the concatenated splits.
        labeled: Whether labels are classes, which can be in conflict.
    """
    rows = [
        _Row(name, *row)
        for name, part in parts.items()
        for row in zip(part.content_hashes, part.origins, part.labels or (), strict=True)
    ]
    alike = [distinct for group in groups if len(distinct := _distinct(rows, group)) > 1]
    if not labeled:
        return _near_leaks(parts, alike) + _near_within(alike)
    agreeing = [group for group in alike if len({row.label for row in group}) == 1]
    return _near_leaks(parts, alike) + _near_conflicts(alike) + _near_within(agreeing)


class _Row(NamedTuple):
    """An example of any split."""

    split: str
    content: str
    origin: str
    label: Any


def _distinct(rows: Sequence[_Row], group: Sequence[int]) -> list[_Row]:
    """Return one example of every content in a group."""
    return list({rows[index].content: rows[index] for index in reversed(group)}.values())[::-1]


def _near_leaks(
    parts: Mapping[str, Examples], alike: Sequence[Sequence[_Row]]
) -> list[DataFinding]:
    findings = []
    for name, other in _PAIRS:
        shown = []
        for group in alike:
            of_other = [row.origin for row in group if row.split == other]
            mine = [row.origin for row in group if row.split == name and of_other]
            shown += [f"{origin} ~ {of_other[0]}" for origin in mine]
        what = f"nearly the same as one of the {other} split"
        level = _level(len(shown), len(parts[name]))
        findings += _leak("near_duplicates_in_splits", level, shown, name, what, advice=_NEAR)
    return findings


def _near_conflicts(alike: Sequence[Sequence[_Row]]) -> list[DataFinding]:
    shown = []
    for group in alike:
        first, *others = group
        other = next((row for row in others if row.label != first.label), None)
        if other is not None:
            shown.append(f"{first.origin} ({first.label}) and {other.origin} ({other.label})")
    what = "of nearly equal inputs with different labels"
    return listed("near_conflicts", "warning", shown, ("group", "groups"), what, advice=_CORRECT)


def _near_within(alike: Sequence[Sequence[_Row]]) -> list[DataFinding]:
    groups = [group for group in alike if len({row.split for row in group}) == 1]
    shown = [f"{row.origin} ~ {first.origin}" for first, *others in groups for row in others]
    nouns, what = ("example is", "examples are"), "nearly the same as another one of the same split"
    return listed("near_duplicates", "note", shown, nouns, what, advice=_REMOVE)
