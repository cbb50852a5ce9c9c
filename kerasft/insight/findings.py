"""Findings of a diagnosis: the problem, its evidence and advice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Advice:
    """One change that should help.

    Attributes:
        changes: New values of settings; empty if the data must change.
        why: Effect of the change, a sentence.
    """

    changes: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Finding:
    """A problem or note about a run.

    Attributes:
        name: Name of the rule, for JSON.
        title: Title for people.
        evidence: Numbers that show it, one or two sentences.
        advice: Changes to try, the most promising first.
        fault: Whether it is a problem; else it is a note.
        causes: Names of findings that are its consequences and therefore left out.
    """

    name: str
    title: str
    evidence: str
    advice: tuple[Advice, ...] = ()
    fault: bool = True
    causes: frozenset[str] = field(default_factory=frozenset)


def rounded(value: float) -> float:
    """Return a rate with two significant digits.

    Example:
        >>> rounded(0.000333333)
        0.00033
    """
    return float(f"{value:.2g}")
