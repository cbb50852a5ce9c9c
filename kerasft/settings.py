"""One setting: its type, help and range, declared once and checked wherever it is set.

Settings are fields of a data class (`kerasft.config`); what a field cannot say by itself stands in
its metadata.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from kerasft.errors import SettingError, did_you_mean


@dataclass(frozen=True)
class Setting:
    """One setting as the command line and the documentation show it."""

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    group: str
    choices: tuple[Any, ...] | None
    minimum: float | None
    maximum: float | None
    below: float | None
    words: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Return `value` in the type of this setting, or raises SettingError."""
        if (value is None and self.optional) or (isinstance(value, str) and value in self.words):
            return value
        converted = _convert(value, self.type)
        if converted is None:
            words = "".join(f" or {word}" for word in self.words)
            self._refuse(f"must be {_words(self.type)}{words}", value)
        if self.choices is not None and converted not in self.choices:
            near = did_you_mean(str(value), map(str, self.choices))
            self._refuse(f"must be one of {', '.join(map(str, self.choices))}", value, near)
        if self.minimum is not None and converted < self.minimum:
            self._refuse(f"must be at least {self.minimum:g}", value)
        if self.maximum is not None and converted > self.maximum:
            self._refuse(f"must be at most {self.maximum:g}", value)
        if self.below is not None and converted >= self.below:
            self._refuse(f"must be below {self.below:g}", value)
        return converted

    def _refuse(self, rule: str, value: Any, hint: str = "") -> typing.NoReturn:
        raise SettingError(f"`{self.name}` {rule}. Received: {self.name}={value!r}.{hint}")


def _words(kind: type) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names[kind]


def _convert(value: Any, kind: type) -> Any:
    """Return value as `kind`, or None where that would change its meaning."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is str:
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or _is_scalar(value)):
        return None
    number = float(value)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        return None
    return kind(number) if kind is float else int(value)


def _is_scalar(value: Any) -> bool:
    """NumPy's numbers are welcome, without importing NumPy."""
    return hasattr(value, "item") and getattr(value, "ndim", 1) == 0


def setting(  # noqa: PLR0913 (public)
    default: Any,
    help: str,
    *,
    group: str = "training",
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """Declare one field of a Config with its help text and range.

    Args:
        default: The value where none is given. None makes the setting optional.
        help: One line, without a full stop, for the command line and the documentation.
        group: The heading under which the command line lists the setting.
        choices: The allowed values.
        minimum: The smallest allowed value.
        maximum: The largest allowed value.
        below: A bound that the value must stay under.
        words: What a number may be besides, such as auto.

    Example:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Config(ImageConfig):
        ...     zoom: float = setting(0.1, "Largest zoom", group="data", minimum=0, below=1)
    """
    metadata = {
        "help": help,
        "group": group,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "words": words,
    }
    return field(default=default, metadata=metadata)


def settings(config: Any) -> dict[str, Setting]:
    """Return the settings of a Config class by name, in the order of declaration.

    The help and the range of an overridden default come from the class that declared it.
    """
    kind = config if isinstance(config, type) else type(config)
    hints = typing.get_type_hints(kind)
    found = {}
    for item in dataclasses.fields(kind):
        metadata = next(
            m
            for base in kind.__mro__
            if (m := _metadata(base, item.name)) is not None or base is object
        )
        base_type, optional = _base_type(hints[item.name])
        if base_type not in (int, float, bool, str):
            raise SettingError(
                f"`{item.name}` of {kind.__qualname__} must be annotated int, float, bool, str "
                f"or one of them with None. Received: {hints[item.name]}."
            )
        empty = {"help": "", "group": "recipe"}
        rest = ("choices", "minimum", "maximum", "below")
        known = {**empty, **dict.fromkeys(rest), "words": (), **(metadata or {})}
        found[item.name] = Setting(item.name, base_type, optional, item.default, **known)
    return found


def _metadata(base: type, name: str) -> dict[str, Any] | None:
    declared = getattr(base, "__dataclass_fields__", {}).get(name)
    return dict(declared.metadata) if declared is not None and declared.metadata else None


def _base_type(annotation: Any) -> tuple[type, bool]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        return members[0], len(members) < len(typing.get_args(annotation))
    return annotation, False
