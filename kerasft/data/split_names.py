"""The names in the data that are splits."""

from __future__ import annotations

from collections.abc import Iterable

from kerasft.config import Config
from kerasft.data.examples import SPLITS
from kerasft.dataset import ALIASES


def named_splits(config: Config) -> dict[str, str]:
    """Return the split names that are set explicitly, by `train`, `validation` and `test`."""
    named = {split: getattr(config.dataset, split) for split in SPLITS}
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
