"""A config: all settings of a recipe as one frozen value, checked on construction.

A recipe's `Config` inherits from `ImageConfig` or `TextConfig` and overrides defaults by plain
assignment. The command line, Python, a search and `dataclasses.replace` share the same checks and
messages.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from kerasft.common_settings import (
    AugmentationSettings,
    BackboneSettings,
    ComputeSettings,
    DatasetSettings,
    ImageSettings,
    OptimizerSettings,
    RegularizationSettings,
    ScheduleSettings,
    SelectionSettings,
    StoppingSettings,
    TaskSettings,
    TextSettings,
)
from kerasft.dataset import Dataset
from kerasft.errors import SettingError
from kerasft.setting_declaration import check_names, settings

# Format of records (manifest of a run, header of a search); format 1 has no marker.
FORMAT = 2
# Values of settings that older records lack.
BEFORE = {
    "feature_norm": "none",
    "head_start": "random",
    "min_warmup_steps": 0,
    "pair_mode": "cross",
}
ConfigType = typing.TypeVar("ConfigType", bound="Config")


# Data classes collect fields from the last base to the first; `--help` lists them in that order.
class Config(
    ComputeSettings,
    StoppingSettings,
    OptimizerSettings,
    ScheduleSettings,
    RegularizationSettings,
    BackboneSettings,
    TaskSettings,
    SelectionSettings,
    DatasetSettings,
):
    """Settings that every recipe has. Use `ImageConfig` or `TextConfig`.

    `dataset` is a `Dataset`; a string is `Dataset(string)`. The flat names of its parts, such as
    `label_column`, are keywords too, and read-only properties. Without `dataset`, they replace
    parts of the recipe's dataset.

    Example:
        >>> Config(dataset="reviews.csv", label_column="stars").dataset
        Dataset('reviews.csv', label='stars')
    """

    def __post_init__(self) -> None:
        """Check every value, and refuse conflicting values."""
        found = settings(self)
        values = {name: item.check(item.read(self)) for name, item in found.items()}
        changes = {item.part: values.pop(name) for name, item in found.items() if item.part}
        _check_parts(self, changes)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dataset", dataclasses.replace(self.dataset, **changes))
        for condition in (one for item in found.values() for one in item.refused_if):
            if sentence := condition(self):
                raise SettingError(sentence)

    def notes(self) -> list[str]:
        """Return notes about settings without effect or better alternatives, one sentence each."""
        known, changed = settings(self), changed_settings(self)
        reasons = {
            name: known[name].reason_idle(self)
            for name, value in changed.items()
            if value != known[name].declared_default
        }
        found = [f"`{name}` has no effect {why}." for name, why in reasons.items() if why]
        if self.trainable_blocks == 0 and self.head_epochs not in (0, "auto"):
            found.append(
                "With trainable_blocks=0, both phases train only the head. To use one phase: "
                f"--head-epochs 0 --learning-rate {self.head_learning_rate:g}."
            )
        return found


class ImageConfig(AugmentationSettings, ImageSettings, Config):
    """Settings of a recipe for images."""

    head_start: str = "auto"
    head_epochs: int = cast(int, "auto")  # one of its keywords


class TextConfig(TextSettings, Config):
    """Settings of a recipe for texts or pairs of texts."""


def _check_parts(config: Config, known: Collection[str | None]) -> None:
    """Raise SettingError for a dataset with columns that this kind of recipe does not read."""
    for item in dataclasses.fields(Dataset):
        value = getattr(config.dataset, item.name)
        if item.name not in known and value != item.default:
            raise SettingError(
                f"{item.name}={value!r} is not a part of a dataset for {type(config).__name__}. "
                "Remove it, or use a recipe of the other modality."
            )


def least_epochs(every: int, blocks: int) -> int:
    """Return the least epochs of a main phase that unfreezes its blocks one by one.

    Args:
        every: Setting `unfreeze_every`, in epochs.
        blocks: Number of trained blocks.
    """
    return every * max(blocks - 1, 0) + 1


def to_dict(config: Config) -> dict[str, Any]:
    """Return the settings as a flat, JSON-serializable dictionary."""
    return {name: item.read(config) for name, item in settings(config).items()}


def changed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that differ from the defaults of their class.

    For a dataset other than the recipe's, its parts are compared with the defaults of `Dataset`. So
    are those of one that lacks a part which the recipe sets; its source is then among the result.
    The class called with the result gives an equal config.
    """
    known, values = settings(config), to_dict(config)
    parts = {name: item for name, item in known.items() if item.part not in (None, "source")}
    replaced = values["dataset"] != known["dataset"].default or any(
        values[name] == item.declared_default != item.default for name, item in parts.items()
    )
    defaults = {name: item.default for name, item in known.items()}
    if replaced:
        defaults |= {name: item.declared_default for name, item in parts.items()}
    return {
        name: value
        for name, value in values.items()
        if value != defaults[name] or (replaced and name == "dataset")
    }


def from_dict(kind: type[ConfigType], values: Mapping[str, Any]) -> ConfigType:
    """Build a Config from a flat dictionary.

    Raises:
        SettingError: A name is unknown or a value is out of range.
    """
    return kind(**values)


def with_keywords(
    kind: type[ConfigType],
    config: Config | None,
    keywords: Mapping[str, Any],
    options: Collection[str] = (),
) -> ConfigType:
    """Return the settings of a call such as `fit(recipe, config, epochs=3)`.

    Args:
        kind: Config class of the recipe.
        config: Settings of the recipe; its defaults where None.
        keywords: Settings by name, which replace those of `config`.
        options: Names of the other arguments of the call, for suggestions.

    Raises:
        SettingError: `config` is not a config of the recipe, a name is unknown, or a value is out
            of range.
    """
    if config is not None and not isinstance(config, Config):
        raise SettingError(
            f"`config` is of type {type(config).__name__}, but must be a Config of the recipe. "
            "Pass settings by name: dataset=..., epochs=3."
        )
    check_names(kind, keywords, options)
    whole: ConfigType = kind() if config is None else cast(ConfigType, config)
    if not keywords:
        return whole
    values = {item.name: getattr(whole, item.name) for item in dataclasses.fields(whole)}
    labels = {name for name, item in settings(kind).items() if item.part in ("source", "label")}
    if labels & keywords.keys() and whole.task == kind.task:
        del values["task"]  # several label columns mean another one
    return type(whole)(**{**values, **keywords})


def from_record(
    kind: type[ConfigType],
    values: Mapping[str, Any],
    record: Mapping[str, Any],
    find_columns: Callable[[Dataset], Collection[str] | None],
) -> ConfigType:
    """Build a Config from the settings of a record of any format.

    Records of format 1 are of images and texts only. They may name a column of the recipe's dataset
    although the run used another dataset. Such a name was ignored if the dataset had no such
    column, so it is dropped here. The separator of the recipe's labels was ignored as well.
    `BEFORE` has the values of settings that older records lack.

    Args:
        kind: Config class of the recipe.
        values: Flat dictionary of settings.
        record: Manifest or header that contains the settings.
        find_columns: Function from a dataset to its columns, None if it cannot be opened; called
            only if needed.

    Raises:
        SettingError: A name is unknown or a value is out of range.
    """
    known = settings(kind)
    before = {name: value for name, value in BEFORE.items() if name in known}
    config = from_dict(kind, {**before, **values})
    if record.get("format", 1) >= FORMAT:
        return config
    data = record.get("data")
    single = isinstance(data, Mapping) and data.get("pairs") is False
    dropped = {"text_pair_column"} if single else set()
    another = config.dataset.source != known["dataset"].default
    if another and config.label_separator == known["label_separator"].default:
        dropped.add("label_separator")
    nothing: dict[str, Any] = dict.fromkeys(dropped & set(known))
    config = dataclasses.replace(config, **nothing)
    if another and own_columns(config):
        config = without_foreign_columns(config, find_columns(config.dataset))
    return config


def own_columns(config: Config) -> dict[str, str]:
    """Return the settings of columns that are as the recipe calls those of its own dataset."""
    columns = {name: item for name, item in settings(config).items() if item.role == "column"}
    return {n: i.default for n, i in columns.items() if i.default and i.read(config) == i.default}


def without_foreign_columns(
    config: ConfigType, present: Collection[str] | None, given: Collection[str] = ()
) -> ConfigType:
    """Return settings without the columns of the recipe's own dataset that another lacks.

    Args:
        config: Settings with the other dataset.
        present: The columns of that dataset; None, where they are unknown, keeps all.
        given: Settings whose columns were given; they stay.
    """
    if present is None:
        return config
    nothing: dict[str, Any] = {
        name: None
        for name, text in own_columns(config).items()
        if name not in given
        and text not in present
        and not {part.strip() for part in text.split(",")} <= set(present)
    }
    return dataclasses.replace(config, **nothing)
