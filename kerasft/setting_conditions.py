"""Conditions of a setting: when it has no effect, and when a config is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Function from a config to the reason, or to an empty string if the condition is not met.
Condition = Callable[[Any], str]


def when(**values: Any) -> Condition:
    """Return a condition for `idle_if` that holds if all named settings match.

    Args:
        **values: By name of the setting: a value, a tuple of values, or a predicate.

    Example:
        >>> when(trainable_blocks=0)(config)
        'with trainable_blocks=0'
    """

    def reason(config: Any) -> str:
        found = {name: getattr(config, name, None) for name in values}
        if not all(_matches(test, found[name]) for name, test in values.items()):
            return ""
        return "with " + " and ".join(f"{name}={value}" for name, value in found.items())

    vars(reason)["names"] = tuple(values)
    return reason


def names_in(condition: Condition) -> tuple[str, ...]:
    """Return the settings that a condition of `when` names; none of another condition."""
    return tuple(getattr(condition, "names", ()))


def _matches(test: Any, value: Any) -> bool:
    if callable(test):
        return bool(test(value))
    return value in test if isinstance(test, tuple) else bool(value == test)


def refuse(test: Callable[[Any], Any], sentence: str) -> Condition:
    """Return a condition for `refused_if`.

    Args:
        test: Predicate of a config: whether to refuse it.
        sentence: Error message with the fix; `{c.NAME}` is the value of a setting.
    """
    return lambda config: sentence.format(c=config) if test(config) else ""
