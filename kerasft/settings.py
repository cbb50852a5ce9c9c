"""One setting: all that is known of it, declared once and checked wherever it is set.

Settings are fields of data classes (`kerasft.setting_groups`); what a field cannot say by itself is
in its metadata. Every list of settings elsewhere is a query over `settings(config)`.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from kerasft.conditions import Condition
from kerasft.dataset import Dataset
from kerasft.errors import SettingError, did_you_mean

AFFECTS = ("data", "graph", "number")


@dataclass(frozen=True)
class Setting:
    """One setting of a Config class; `setting` says what its attributes mean.

    Attributes:
        default: The value in that class, which may override the declaration's.
        off: The declaration's default.
        part: The attribute of the Dataset that holds it; None for a field of the Config.
    """

    name: str
    type: type
    optional: bool
    default: Any
    off: Any
    help: str
    group: str
    choices: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    below: float | None = None
    words: tuple[str, ...] = ()
    affects: str = "data"
    searchable: bool = True
    idle_if: tuple[Condition, ...] = ()
    refused_if: tuple[Condition, ...] = ()
    role: str = ""
    part: str | None = None

    def read(self, config: Any) -> Any:
        """Return the plain value that a config has for this setting."""
        return getattr(config.dataset, self.part) if self.part else getattr(config, self.name)

    def reason_idle(self, config: Any) -> str:
        """Return why the setting has no effect in a config, an empty string where it has one."""
        return next(filter(None, (condition(config) for condition in self.idle_if)), "")

    def check(self, value: Any) -> Any:
        """Return `value` in the type of this setting, or raise SettingError."""
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
    group: str | None = None,
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    words: tuple[str, ...] = (),
    affects: str = "data",
    searchable: bool = True,
    idle_if: Condition | tuple[Condition, ...] = (),
    refused_if: Condition | tuple[Condition, ...] = (),
    role: str = "",
) -> Any:
    """Declare one field of a Config, completely.

    Args:
        default: The value where none is given. None makes the setting optional.
        help: One line, without a full stop, for the command line and the documentation.
        group: The heading under which the command line lists the setting. By default the name of
            its class without `Settings`, or `recipe`.
        choices: The allowed values.
        minimum: The smallest allowed value.
        maximum: The largest allowed value.
        below: A bound that the value must stay under.
        words: What a number may be besides, such as auto.
        affects: What a change of it makes anew in a search. `data`: the prepared arrays, and the
            training graph with them (the default, which is always right). `graph`: the traced
            graph alone. `number`: neither.
        searchable: Whether trials of a search that differ in it can be compared.
        idle_if: Conditions under which it has no effect; see `when`.
        refused_if: Conditions under which it is refused; each returns the sentence, or "".
        role: What kind of setting it is, for those who look for all of a kind: `column`,
            `batches` (acts where batches are made), `mixing` (mixes the examples of a batch),
            `penalty`, `penalty_to_pretrained`.

    Example:
        >>> class Config(kerasft.ImageConfig):
        ...     zoom: float = setting(
        ...         0.1, "Largest zoom", minimum=0, below=1, affects="graph",
        ...         idle_if=when(augmentation="none"),
        ...     )
    """
    if affects not in AFFECTS:
        raise SettingError(
            f"`affects` must be one of {', '.join(AFFECTS)}. Received: affects={affects!r}."
        )
    metadata = {
        "help": help,
        "group": group,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "words": words,
        "affects": affects,
        "searchable": searchable,
        "idle_if": idle_if if isinstance(idle_if, tuple) else (idle_if,),
        "refused_if": refused_if if isinstance(refused_if, tuple) else (refused_if,),
        "role": role,
        "off": default,
    }
    return field(default=default, metadata=metadata)


class Part:
    """A flat name for one part of a config's Dataset: read-only, on the command line a setting.

    Args:
        name: The attribute of the Dataset.
        help: As `setting` takes it, and so is what else there is.
    """

    def __init__(self, name: str, help: str, **declaration: Any) -> None:
        self.name = name
        item = next(item for item in dataclasses.fields(Dataset) if item.name == name)
        declaration = {"searchable": False, **declaration}
        self.metadata = dict(setting(item.default, help, **declaration).metadata)
        self.type = typing.get_type_hints(Dataset)[name]

    def __get__(self, config: Any, kind: type | None = None) -> Any:
        """Return the part of a config's dataset."""
        return self if config is None else getattr(config.dataset, self.name)

    def __set__(self, config: Any, value: Any) -> None:
        """Refuse: a config is frozen."""
        raise dataclasses.FrozenInstanceError("a config cannot be changed: dataclasses.replace it")


def parts(kind: type) -> dict[str, Part]:
    """Return the flat names of a Config class, in the order of declaration."""
    found = {}
    for base in reversed(kind.__mro__):
        found.update({name: item for name, item in vars(base).items() if isinstance(item, Part)})
    return found


def settings(config: Any) -> dict[str, Setting]:
    """Return the settings of a Config class by name, in the order of declaration.

    What is declared of an overridden default comes from the class that declared it. The dataset is
    the names of its parts.
    """
    kind = config if isinstance(config, type) else type(config)
    hints = typing.get_type_hints(kind)
    found = {}
    for item in dataclasses.fields(kind):
        if item.name == "dataset":
            found.update(_dataset_settings(kind, item))
        else:
            found[item.name] = _setting(kind, item.name, hints[item.name], item.default)
    return found


def _dataset_settings(kind: type, item: Any) -> dict[str, Setting]:
    whole = _setting(kind, "dataset", str, item.default.source)
    found = {"dataset": dataclasses.replace(whole, off="", part="source")}
    for name, part in parts(kind).items():
        default = getattr(item.default, part.name)
        one = _setting(kind, name, part.type, default)
        found[name] = dataclasses.replace(one, part=part.name)
    return found


def _setting(kind: type, name: str, annotation: Any, default: Any) -> Setting:
    base_type, optional = _base_type(annotation)
    if base_type not in (int, float, bool, str):
        raise SettingError(
            f"`{name}` of {kind.__qualname__} must be annotated int, float, bool, str "
            f"or one of them with None. Received: {annotation}."
        )
    base, metadata = _declaration(kind, name)
    known = {"help": "", "off": default, **metadata}
    known["group"] = known.get("group") or _group(base)
    return Setting(name, base_type, optional, default, **known)


def _declaration(kind: type, name: str) -> tuple[type, dict[str, Any]]:
    """Return the class that declared a setting, and what it declared."""
    for base in kind.__mro__:
        if name in vars(base).get("declared", {}):
            return base, vars(base)["declared"][name]
    return kind, {}


def _group(base: type) -> str:
    name = base.__name__
    return name.removesuffix("Settings").lower() if name.endswith("Settings") else "recipe"


def _base_type(annotation: Any) -> tuple[type, bool]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        return members[0], len(members) < len(typing.get_args(annotation))
    return annotation, False
