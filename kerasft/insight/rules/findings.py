"""What a diagnosis says: what is wrong, how it is known, and what to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Advice:
    """One change that should help.

    Attributes:
        changes: Settings and their new values; empty where the data must change.
        why: What the change does, a sentence.
    """

    changes: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Finding:
    """Something that a run's record shows.

    Attributes:
        name: Of the rule, fit for JSON.
        title: The same in words.
        evidence: The numbers that show it, a sentence or two.
        advice: What to change, the most promising first.
        fault: Whether something is wrong; else it is good to know.
        causes: Names of findings that would be its consequences: they are left out beside it.
    """

    name: str
    title: str
    evidence: str
    advice: tuple[Advice, ...] = ()
    fault: bool = True
    causes: frozenset[str] = field(default_factory=frozenset)


def rounded(value: float) -> float:
    """Return a rate in two figures, as a person would type it.

    Example:
        >>> rounded(0.000333333)
        0.00033
    """
    return float(f"{value:.2g}")
