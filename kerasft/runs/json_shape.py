"""Comparison of a JSON value with a declared shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def shape_problem(value: Any, shape: Any, at: str = "") -> str:
    """Return in which field a JSON value differs from a shape, and how; empty if it does not.

    Args:
        value: Value as the module `json` reads it.
        shape: A type (`object` for any); a list of one shape for all items; an object by names, of
            which those with ? may be missing and * is any other; shapes in parentheses, of which
            one fits; a set of texts.
        at: Name of the value.

    Example:
        >>> shape_problem({"files": []}, {"files": {"*": str}})
        '`files` is [], but an object is expected'
    """
    if isinstance(shape, tuple):
        problems = [shape_problem(value, each, at) for each in shape]
        return "" if "" in problems else problems[0]
    check = _CHECKS.get(type(shape), _scalar_problem)
    return check(value, shape, at)


def _object_problem(value: Any, shape: dict[str, Any], at: str) -> str:
    if not isinstance(value, dict):
        return _other(value, "an object", at)
    fields = {name.rstrip("?"): each for name, each in shape.items()}
    for name in shape:
        if name not in value and name[-1] not in "?*":
            return f"`{_path(at, name)}` is missing"
    for name, item in value.items():
        if name not in fields and "*" not in fields:
            return f"`{_path(at, name)}` is unknown"
        problem = shape_problem(item, fields.get(name, fields.get("*")), _path(at, name))
        if problem:
            return problem
    return ""


def _list_problem(value: Any, shape: list[Any], at: str) -> str:
    if not isinstance(value, list):
        return _other(value, "a list", at)
    problems = (shape_problem(item, shape[0], f"{at}[{n}]") for n, item in enumerate(value))
    return next(filter(None, problems), "")


def _choice_problem(value: Any, shape: frozenset[str], at: str) -> str:
    known = isinstance(value, str) and value in shape
    return "" if known else _other(value, f"one of {', '.join(sorted(shape))}", at)


def _scalar_problem(value: Any, shape: Any, at: str) -> str:
    kinds: Any = {float: (int, float), None: type(None)}.get(shape, shape)
    # True is an int in Python.
    good = isinstance(value, kinds) and (shape in (bool, object) or not isinstance(value, bool))
    return "" if good else _other(value, _WORDS.get(shape, "null"), at)


_CHECKS: dict[type, Callable[[Any, Any, str], str]] = {
    dict: _object_problem,
    list: _list_problem,
    frozenset: _choice_problem,
}


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _other(value: Any, expected: str, at: str) -> str:
    return f"`{at}` is {value!r:.60}, but {expected} is expected"
