"""Conditions in the declaration of a setting: when it has no effect, when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Returns of a config the words that say why, or an empty string where the condition is not met.
Condition = Callable[[Any], str]


def when(**values: Any) -> Condition:
    """Return a condition for `idle_if`: every named setting has the value.

    Args:
        **values: By setting a value, a tuple of values, or a function that tells.

    Example:
        >>> when(trainable_blocks=0)(config)
        'with trainable_blocks=0'
    """

    def reason(config: Any) -> str:
        found = {name: getattr(config, name, None) for name in values}
        if not all(_matches(test, found[name]) for name, test in values.items()):
            return ""
        return "with " + " and ".join(f"{name}={value}" for name, value in found.items())

    return reason


def _matches(test: Any, value: Any) -> bool:
    if callable(test):
        return bool(test(value))
    return value in test if isinstance(test, tuple) else bool(value == test)


def refuse(test: Callable[[Any], Any], sentence: str) -> Condition:
    """Return a condition for `refused_if`.

    Args:
        test: Tells of a config whether it is refused.
        sentence: Why, and the way out; `{c.NAME}` is the value of a setting.
    """
    return lambda config: sentence.format(c=config) if test(config) else ""
