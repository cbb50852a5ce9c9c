"""Types of settings: whole numbers, numbers, booleans and texts."""

from __future__ import annotations

import math
import types
import typing
from typing import Any


def describe_type(kind: type) -> str:
    """Return a type as error messages call it."""
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names[kind]


def convert(value: Any, kind: type) -> Any:
    """Return a value converted to `kind`, or None if the conversion would change it."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is str:
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or _is_scalar(value)):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number above 1e308
        return None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        return None
    return kind(number) if kind is float else int(value)


def _is_scalar(value: Any) -> bool:
    """Return whether a value is a NumPy scalar, without importing NumPy."""
    return hasattr(value, "item") and getattr(value, "ndim", 1) == 0


def base_type(annotation: Any) -> tuple[type, bool]:
    """Return the type in an annotation, and whether it allows None."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        return members[0], len(members) < len(typing.get_args(annotation))
    return annotation, False
