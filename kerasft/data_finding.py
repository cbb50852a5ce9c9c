"""Findings of a data audit: a problem or a note, with the change that should help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerasft.formatting import counted

LEVELS = ("error", "warning", "note")  # in order of importance
LISTED = 20  # examples that a finding lists


@dataclass(frozen=True)
class DataFinding:
    """A problem or a note about the data.

    Attributes:
        name: Name of the kind of finding, for JSON.
        level: `error` (training would be wrong or is refused), `warning` (scores or training
            suffer) or `note`.
        text: Sentence with the numbers.
        count: Number of examples it is about, 0 where it is about the whole dataset.
        examples: Origins of the first twenty of them.
        changes: New values of settings that should help; empty if the data must change.
        advice: What to do, a sentence; empty where `text` or `changes` says it.
    """

    name: str
    level: str
    text: str
    count: int = 0
    examples: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""


def by_level(findings: Iterable[DataFinding]) -> list[DataFinding]:
    """Return findings in order of importance."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def listed(
    name: str,
    level: str,
    examples: Sequence[str],
    nouns: tuple[str, str],
    what: str,
    **more: Any,
) -> list[DataFinding]:
    """Return a finding about examples, of which the first are listed; none without examples.

    Args:
        name: Name of the finding.
        level: Level of the finding.
        examples: Origins of all examples.
        nouns: Beginning of the sentence for one example and for several, as in `counted`.
        what: Rest of the sentence.
        **more: Other attributes of the finding.

    Example:
        >>> listed("blank", "note", ["a.png"], ("image is", "images are"), "blank")[0].text
        '1 image is blank, for example a.png.'
    """
    if not examples:
        return []
    text = f"{counted(len(examples), *nouns)} {what}, for example {examples[0]}."
    return [DataFinding(name, level, text, len(examples), tuple(examples[:LISTED]), **more)]


def longer_length(length: int) -> int:
    """Return the maximum length to try where texts were truncated to `length` tokens.

    Example:
        >>> longer_length(128)
        256
    """
    return int(2 ** math.ceil(math.log2(1.5 * length)))
