"""Names of splits, and dataset settings that apply to the current dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import SPLITS

ALIASES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}


def is_split_name(name: str) -> bool:
    """Return whether a folder or file name usually denotes a split."""
    return any(name.strip().lower() in aliases for aliases in ALIASES.values())


def own_setting(config: Config, name: str, present: Container[str] = ()) -> Any:
    """Return a setting that describes the dataset, or None if it describes another dataset.

    A recipe may declare that the label column of its own dataset is `urgency`. With another
    `--dataset` this default is ignored, unless the data contain the name or it was set explicitly.

    Args:
        config: Settings.
        name: Name of the setting; None is returned if the config lacks it.
        present: Names in the data, such as columns.
    """
    value = getattr(config, name, None)
    if value is None or value in present:
        return value
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    another = bool(defaults["dataset"]) and config.dataset != defaults["dataset"]
    foreign = another and value == defaults[name] and name not in config.given
    return None if foreign else value


def named_splits(config: Config) -> dict[str, str]:
    """Return the split names that are set explicitly, by `train`, `validation` and `test`."""
    named = {split: getattr(config, f"{split}_split") for split in SPLITS}
    return {split: name for split, name in named.items() if name}


def match_splits(config: Config, present: Iterable[str]) -> dict[str, str]:
    """Match names in the data to splits.

    Settings take precedence. A split without a setting is found by its usual names, unless a
    setting has claimed that name for another split.

    Args:
        config: Settings.
        present: Names of folders or files, or values of the column `split`.

    Returns:
        Names in the data by `train`, `validation` and `test`, for the splits that were found.
    """
    named = named_splits(config)
    names = sorted(present)
    claimed = set(named.values())
    found = {}
    for split in SPLITS:
        if split in named:
            if named[split] in names:
                found[split] = named[split]
            continue
        for alias in ALIASES[split]:
            matches = [n for n in names if n.strip().lower() == alias and n not in claimed]
            if matches:
                found[split] = matches[0]
                break
    return found
