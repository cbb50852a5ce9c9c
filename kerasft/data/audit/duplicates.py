"""Findings about examples that occur twice: exactly, or nearly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kerasft.data.examples import Examples
from kerasft.data_finding import LISTED, DataFinding, counted

_MOST = 0.5  # share of a split above which a leak or a conflict makes training wrong
_PAIRS = (("test", "train"), ("validation", "train"), ("test", "validation"))
_ONE_SPLIT = (
    "Remove them from one of the splits, or give the data without splits: equal examples stay "
    "in one."
)
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
        first, second = double[0]
        text = (
            f"{counted(len(double), 'example', 'examples')} of the {name} split "
            f"{'is' if len(double) == 1 else 'are'} also in the {other} split (for example "
            f"{first} = {second}); scores may be inflated."
        )
        level = "error" if len(double) > _MOST * len(parts[name]) else "warning"
        shown = [f"{one} = {same}" for one, same in double]
        findings.append(_listed("duplicates", level, text, shown, _ONE_SPLIT))
    return findings


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
    if not conflicts:
        return []
    shown = list(conflicts.values())
    kind = counted(len(shown), "input has", "inputs have")
    text = f"{kind} conflicting labels, for example {shown[0]}."
    level = "error" if len(shown) > _MOST * len(first) else "warning"
    return [_listed("conflicting_labels", level, text, shown, _CORRECT)]


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
    if not double:
        return []
    kind = counted(len(double), "training example repeats", "training examples repeat")
    text = f"{kind} another one (for example {double[0]})."
    return [_listed("repeated", "note", text, double, _REMOVE)]


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
        if not shown:
            continue
        text = (
            f"{counted(len(shown), 'example', 'examples')} of the {name} split "
            f"{'is' if len(shown) == 1 else 'are'} nearly the same as one of the {other} split "
            f"(for example {shown[0]}); scores may be inflated."
        )
        level = "error" if len(shown) > _MOST * len(parts[name]) else "warning"
        advice = "Remove them from one of the splits."
        findings.append(_listed("near_duplicates_in_splits", level, text, shown, advice))
    return findings


def _near_conflicts(alike: Sequence[Sequence[_Row]]) -> list[DataFinding]:
    shown = []
    for group in alike:
        first, *others = group
        other = next((row for row in others if row.label != first.label), None)
        if other is not None:
            shown.append(f"{first.origin} ({first.label}) and {other.origin} ({other.label})")
    if not shown:
        return []
    kind = counted(len(shown), "group", "groups")
    text = f"{kind} of nearly equal inputs with different labels, for example {shown[0]}."
    return [_listed("near_conflicts", "warning", text, shown, _CORRECT)]


def _near_within(alike: Sequence[Sequence[_Row]]) -> list[DataFinding]:
    groups = [group for group in alike if len({row.split for row in group}) == 1]
    shown = [f"{row.origin} ~ {first.origin}" for first, *others in groups for row in others]
    if not shown:
        return []
    kind = counted(len(shown), "example is", "examples are")
    text = f"{kind} nearly the same as another one of the same split (for example {shown[0]})."
    return [_listed("near_duplicates", "note", text, shown, _REMOVE)]


def _listed(name: str, level: str, text: str, shown: Sequence[str], advice: str) -> DataFinding:
    """Return a finding about examples, of which the first are listed."""
    return DataFinding(name, level, text, len(shown), tuple(shown[:LISTED]), advice=advice)
