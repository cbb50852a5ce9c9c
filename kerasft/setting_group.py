"""Base class of settings classes: each is a frozen data class with keyword-only arguments.

The `dataclass` decorator on a subclass, such as a Config, is allowed but not needed.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any

from kerasft.dataset import Dataset
from kerasft.setting_declaration import Part, check_names, parts
from kerasft.tasks import with_several_labels


@typing.dataclass_transform(kw_only_default=True, frozen_default=True)
class GroupType(type):
    """Metaclass that makes every settings class a frozen data class with a Dataset."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> Any:
        """Create the class."""
        flat = {name: item.name for base in bases for name, item in parts(base).items()}
        body = _with_dataset_value(bases, namespace, flat)
        fields = {k: v for k, v in body.items() if isinstance(v, dataclasses.Field | Part)}
        declared = {k: dict(v.metadata) for k, v in fields.items() if v.metadata}
        # `__repr__` in every class, because an explicit decorator would add that of a data class.
        whole = {"__repr__": _short_repr, **body, "declared": declared}
        kind: Any = super().__new__(cls, name, bases, whole, **kwargs)
        if body is not namespace:
            # Read from the class: Python 3.14 evaluates the annotations of its body later.
            hints = {k: v for k, v in kind.__annotations__.items() if k not in flat}
            kind.__annotations__ = {**hints, "dataset": Dataset}
        dataclass(frozen=True, kw_only=True, repr=False)(kind)
        # An explicit decorator refuses to overwrite these methods; those of `_Frozen` do the same.
        del kind.__setattr__, kind.__delattr__
        return kind

    def __call__(cls, **values: Any) -> Any:
        """Create a config; flat names such as `label_column` set parts of its dataset.

        `dataset` replaces the whole dataset; a flat name replaces one part of it. Several label
        columns mean a task with several labels, unless the task is given too.

        Raises:
            SettingError: A name is unknown.
        """
        check_names(cls, values)
        changes = {item.name: values.pop(n) for n, item in parts(cls).items() if n in values}
        if changes or "dataset" in values:
            whole: Any = values.get("dataset", getattr(cls, "dataset", None))
            whole = whole if isinstance(whole, Dataset) else Dataset(whole)
            values["dataset"] = dataclasses.replace(whole, **changes)
            label = values["dataset"].label
            if isinstance(label, str) and "," in label:  # several columns
                values.setdefault("task", with_several_labels(getattr(cls, "task", "")))
        return super().__call__(**values)


def _short_repr(config: Any) -> str:
    """Return the call that makes a config, without defaults.

    The class of every recipe is called Config: its module, the recipe, tells it from others.
    """
    items = [(item, getattr(config, item.name)) for item in dataclasses.fields(config)]
    words = [f"{item.name}={value!r}" for item, value in items if value != item.default]
    name = type(config).__qualname__
    recipe = f"{type(config).__module__.rpartition('.')[2]}." if name == "Config" else ""
    return f"{recipe}{name}({', '.join(words)})"


def _with_dataset_value(
    bases: tuple[type, ...], namespace: dict[str, Any], flat: dict[str, str]
) -> dict[str, Any]:
    """Return a class body with the flat attributes of older recipes merged into `dataset`.

    Args:
        bases: Base classes.
        namespace: Class body; returned itself where there is nothing to merge.
        flat: Names of dataset attributes by their flat names.
    """
    own = {flat[name]: _plain(value) for name, value in namespace.items() if name in flat}
    whole = _plain(namespace.get("dataset"))
    if not own and not isinstance(whole, str):
        return namespace
    if whole is None:
        whole = next(base.dataset for base in bases if hasattr(base, "dataset"))
    whole = whole if isinstance(whole, Dataset) else Dataset(whole)
    body = {name: value for name, value in namespace.items() if name not in flat}
    return {**body, "dataset": dataclasses.replace(whole, **own)}


def _plain(value: Any) -> Any:
    """Return the default of a declaration; what a part is, is declared with the Dataset."""
    return value.default if isinstance(value, dataclasses.Field) else value


class _Frozen:
    """A value whose fields cannot be changed."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


class SettingGroup(_Frozen, metaclass=GroupType):
    """Base class of all settings classes."""
