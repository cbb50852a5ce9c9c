"""Examples that were left out because they cannot be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from kerasft.data.examples import Dropped, Examples
from kerasft.data_finding import LISTED, DataFinding
from kerasft.errors import DataError
from kerasft.formatting import counted
from kerasft.tasks import Labels

_NAME = "unreadable"  # of the finding


def dropped_examples(
    parts: Iterable[Examples], labels: Labels, train: Examples
) -> tuple[Dropped, ...]:
    """Return what was left out of the parts of a dataset, each example once.

    Args:
        parts: Examples of the source, and of the splits.
        labels: Task and class names.
        train: The training split that is left.

    Raises:
        DataError: A class has no training example left.
    """
    dropped = tuple(dict.fromkeys(one for part in parts for one in part.dropped))
    if labels.names and dropped:
        left = {name for label in train.labels or () for name in _names(label)}
        lost = [one for one in dropped if not left.issuperset(_names(one.label))]
        if lost or not left.issuperset(labels.names):
            name = next(iter({*labels.names, *(n for o in lost for n in _names(o.label))} - left))
            raise DataError(
                f"No training example of the class {name!r} can be read: {dropped[0].reason} Add "
                "readable examples of the class, or remove it."
            )
    return dropped


def _names(label: Any) -> tuple[str, ...]:
    """Return the classes of a label that could be read."""
    return label if isinstance(label, tuple) else (str(label),) * (label is not None)


def find_dropped(dropped: Sequence[Dropped]) -> list[DataFinding]:
    """Return a finding about examples that were left out."""
    if not dropped:
        return []
    text = (
        f"{_counted(len(dropped))} and {'is' if len(dropped) == 1 else 'are'} left out, for "
        f"example {dropped[0].origin}."
    )
    shown = tuple(one.reason for one in dropped[:LISTED])
    return [DataFinding(_NAME, "note", text, len(dropped), shown)]


def refuse_dropped(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """Return findings as they are without `drop_bad`, where unreadable examples are an error."""
    return [
        dataclasses.replace(
            finding,
            level="error",
            text=f"{_counted(finding.count)}, for example: {finding.examples[0]}",
            changes={"drop_bad": True},
        )
        if finding.name == _NAME
        else finding
        for finding in findings
    ]


def _counted(number: int) -> str:
    return counted(number, "example cannot be read", "examples cannot be read")
