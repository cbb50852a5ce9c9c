"""Which settings speak of the data at hand, and what the splits may be called."""

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
    """Return whether a folder or file of that name is usually a split."""
    return any(name.strip().lower() in aliases for aliases in ALIASES.values())


def own_setting(config: Config, name: str, present: Container[str] = ()) -> Any:
    """Return a setting that describes the dataset, or None where it describes another one.

    A recipe may say that the column of its own dataset is `urgency`. With `--dataset` pointing
    elsewhere such a default means nothing, unless the value is `present` in the data, or was given.

    Args:
        config: The settings.
        name: The setting; one that this kind of config does not have counts as not set.
        present: Names that the data have, such as columns.
    """
    value = getattr(config, name, None)
    if value is None or value in present:
        return value
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    another = bool(defaults["dataset"]) and config.dataset != defaults["dataset"]
    foreign = another and value == defaults[name] and name not in config.given
    return None if foreign else value


def named_splits(config: Config) -> dict[str, str]:
    """Return the names that the settings give to splits, by `train`, `validation` and `test`."""
    named = {split: getattr(config, f"{split}_split") for split in SPLITS}
    return {split: name for split, name in named.items() if name}


def match_splits(config: Config, present: Iterable[str]) -> dict[str, str]:
    """Find which of the names in the data are which split.

    A setting wins. A usual name counts for a split without a setting, unless a setting has claimed
    it for another split.

    Args:
        config: The settings.
        present: Names of folders, files, or values of the column `split`.

    Returns:
        `train`, `validation` and `test`, as far as they are there, with their name in the data.
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
