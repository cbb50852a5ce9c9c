"""Settings: declaration, metadata and validation of a single value.

Settings are fields of data classes (`SettingGroup`) with their declaration as metadata.
Every list of settings elsewhere is a query over `settings(config)`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasft.dataset import Dataset
from kerasft.errors import SettingError, did_you_mean
from kerasft.formatting import number
from kerasft.setting_conditions import Condition, names_in
from kerasft.setting_types import base_type, convert, describe_type

AFFECTS = ("data", "graph", "number")
_LARGEST = 2**31 - 1  # whole number that all libraries below accept, as a seed too
ROLES = ("", "column", "split", "batches", "mixing", "penalty", "penalty_to_pretrained")


@dataclass(frozen=True)
class Setting:
    """One setting of a Config class; `setting` documents the other attributes.

    Attributes:
        default: Default in that class, which may override the declared one.
        declared_default: Default in the declaration.
        part: Name of the Dataset attribute that holds the value; None for a field of the Config.
    """

    name: str
    type: type
    optional: bool
    default: Any
    declared_default: Any
    help: str
    group: str
    choices: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    below: float | None = None
    keywords: tuple[str, ...] = ()
    affects: str = "data"
    searchable: bool = True
    idle_if: tuple[Condition, ...] = ()
    refused_if: tuple[Condition, ...] = ()
    role: str = ""
    common: bool = False
    aliases: tuple[str, ...] = ()
    part: str | None = None

    def read(self, config: Any) -> Any:
        """Return the plain value of this setting in a config."""
        return getattr(config.dataset, self.part) if self.part else getattr(config, self.name)

    def reason_idle(self, config: Any) -> str:
        """Return why the setting has no effect in a config, or an empty string if it has one."""
        return next(filter(None, (condition(config) for condition in self.idle_if)), "")

    def check(self, value: Any) -> Any:
        """Return `value` converted to the type of this setting, or raise SettingError."""
        if (value is None and self.optional) or (isinstance(value, str) and value in self.keywords):
            return value
        converted = convert(value, self.type)
        if converted is None:
            keywords = "".join(f" or {keyword}" for keyword in self.keywords)
            self._refuse(f"must be {describe_type(self.type)}{keywords}", value)
        if self.choices is not None and converted not in self.choices:
            near = did_you_mean(str(value), map(str, self.choices))
            self._refuse(f"must be one of {', '.join(map(str, self.choices))}", value, near)
        if self.minimum is not None and converted < self.minimum:
            self._refuse(f"must be at least {self.minimum:g}", value)
        maximum = _LARGEST if self.maximum is None and self.type is int else self.maximum
        if maximum is not None and converted > maximum:
            self._refuse(f"must be at most {number(maximum)}", value)
        if self.below is not None and converted >= self.below:
            self._refuse(f"must be below {self.below:g}", value)
        return converted

    def _refuse(self, rule: str, value: Any, hint: str = "") -> typing.NoReturn:
        raise SettingError(f"`{self.name}` {rule}. Received: {self.name}={value!r}.{hint}")


def setting(  # noqa: PLR0913 (public)
    default: Any,
    help: str,
    *,
    group: str | None = None,
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    keywords: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    affects: str = "data",
    searchable: bool = True,
    idle_if: Condition | tuple[Condition, ...] = (),
    refused_if: Condition | tuple[Condition, ...] = (),
    role: str = "",
    common: bool = False,
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare one setting: a field of a Config class with its metadata.

    Args:
        default: Default value; None makes the setting optional.
        help: Help text for the command line and the documentation: one line, no period.
        group: Heading of the setting in `--help`. By default the name of its class without
            `Settings`, or `recipe`.
        choices: Allowed values.
        minimum: Smallest allowed value.
        maximum: Largest allowed value.
        below: Exclusive upper bound.
        keywords: Texts allowed instead of a number, such as `auto`.
        words: Old name of `keywords`.
        affects: Parts that a search rebuilds when the value changes. `data`: the prepared arrays
            and the training graph (the default, always correct). `graph`: the traced graph only.
            `number`: neither.
        searchable: Whether trials with different values can be compared in a search.
        idle_if: Conditions under which the setting has no effect; see `when`.
        refused_if: Conditions under which a config is refused; see `refuse`.
        role: Role of the setting, for queries over settings: `column`, `split`, `batches` (used
            when batches are made), `mixing` (mixes the examples of a batch), `penalty`,
            `penalty_to_pretrained`.
        common: Whether the short help of `kerasft fit RECIPE` describes the setting.
        aliases: Names of the setting in other tools, such as `lr`; the error about such a name
            suggests the setting.

    Raises:
        SettingError: `affects` has another value.

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
    if role not in ROLES:
        known = ", ".join(filter(None, ROLES))
        raise SettingError(f"`role` must be one of {known}. Received: role={role!r}.")
    metadata = {
        "help": help,
        "group": group,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "keywords": keywords or words,
        "affects": affects,
        "searchable": searchable,
        "idle_if": idle_if if isinstance(idle_if, tuple) else (idle_if,),
        "refused_if": refused_if if isinstance(refused_if, tuple) else (refused_if,),
        "role": role,
        "common": common,
        "aliases": aliases,
        "declared_default": default,
    }
    return field(default=default, metadata=metadata)


class Part:
    """Flat, read-only name of one part of a config's Dataset; a setting on the command line.

    On a class with a default dataset it is the default, as for every other setting.

    Args:
        name: Name of the Dataset attribute.
        help: Help text, as in `setting`.
        **declaration: Other arguments of `setting`.
    """

    def __init__(self, name: str, help: str, **declaration: Any) -> None:
        self.name = name
        item = next(item for item in dataclasses.fields(Dataset) if item.name == name)
        declaration = {"searchable": False, **declaration}
        self.metadata = dict(setting(item.default, help, **declaration).metadata)
        self.type = typing.get_type_hints(Dataset)[name]

    def __get__(self, config: Any, kind: type | None = None) -> Any:
        """Return the part of the dataset of a config, or of a class with a default dataset."""
        dataset = getattr(kind if config is None else config, "dataset", None)
        return getattr(dataset, self.name) if isinstance(dataset, Dataset) else self

    def __set__(self, config: Any, value: Any) -> None:
        """Refuse: a config is frozen."""
        raise dataclasses.FrozenInstanceError("a config is read-only: use dataclasses.replace")


def parts(kind: type) -> dict[str, Part]:
    """Return the flat names of a Config class, in the order of declaration."""
    found = {}
    for base in reversed(kind.__mro__):
        found.update({name: item for name, item in vars(base).items() if isinstance(item, Part)})
    return found


def check_names(kind: type, given: Iterable[str], others: Collection[str] = ()) -> None:
    """Refuse names that are not those of settings.

    Args:
        kind: Config class.
        given: Names to check.
        others: Further allowed names.

    Raises:
        SettingError: A name is unknown; the message suggests the setting that is probably meant.
    """
    known: Any = kind  # a data class
    names = {*parts(kind), *(item.name for item in dataclasses.fields(known)), *others}
    for name in given:
        if name not in names:
            meant = find_alias(name, settings(kind))
            hint = f" Did you mean '{meant}'?" if meant else did_you_mean(name, names)
            raise SettingError(f"Setting `{name}` not found.{hint}")


def find_alias(name: str, found: Mapping[str, Setting]) -> str | None:
    """Return the name of the setting with an alias, None if no setting has it."""
    return next((item.name for item in found.values() if name in item.aliases), None)


def settings(config: Any) -> dict[str, Setting]:
    """Return the settings of a Config class by name, in the order of declaration.

    An overridden default keeps the metadata of its declaration. The dataset is listed as its parts.
    """
    kind = config if isinstance(config, type) else type(config)
    hints = typing.get_type_hints(kind)
    found = {}
    for item in dataclasses.fields(kind):
        if item.name == "dataset":
            found.update(_dataset_settings(kind, item))
        else:
            found[item.name] = _setting(kind, item.name, hints[item.name], item.default)
    _check_conditions(kind, found)
    return found


def _check_conditions(kind: type, found: dict[str, Setting]) -> None:
    for item in found.values():
        for name in (n for one in (*item.idle_if, *item.refused_if) for n in names_in(one)):
            if name not in found:
                raise SettingError(
                    f"`{item.name}` of {kind.__qualname__} has a condition on a setting `{name}` "
                    f"that it does not have.{did_you_mean(name, found)}"
                )


def _dataset_settings(kind: type, item: Any) -> dict[str, Setting]:
    whole = _setting(kind, "dataset", str, item.default.source)
    found = {"dataset": dataclasses.replace(whole, declared_default="", part="source")}
    for name, part in parts(kind).items():
        default = getattr(item.default, part.name)
        one = _setting(kind, name, part.type, default)
        found[name] = dataclasses.replace(one, part=part.name)
    return found


def _setting(kind: type, name: str, annotation: Any, default: Any) -> Setting:
    plain_type, optional = base_type(annotation)
    if plain_type not in (int, float, bool, str):
        raise SettingError(
            f"`{name}` of {kind.__qualname__} must be annotated int, float, bool, str "
            f"or one of them with None. Received: {annotation}."
        )
    base, metadata = _declaration(kind, name)
    known = {"help": "", "declared_default": default, **metadata}
    known["group"] = known.get("group") or _group(base)
    return Setting(name, plain_type, optional, default, **known)


def _declaration(kind: type, name: str) -> tuple[type, dict[str, Any]]:
    """Return the class that declared a setting, and the metadata of the declaration."""
    for base in kind.__mro__:
        if name in vars(base).get("declared", {}):
            return base, vars(base)["declared"][name]
    return kind, {}


def _group(base: type) -> str:
    name = base.__name__
    return name.removesuffix("Settings").lower() if name.endswith("Settings") else "recipe"
