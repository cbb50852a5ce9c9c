"""The audit of a recipe's data, without training."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any

import keras

from kerasft.catalog import recipe_module
from kerasft.config import Config, with_keywords
from kerasft.data import load_recipe_data
from kerasft.data.examples import SPLITS
from kerasft.data_finding import LEVELS, DataFinding
from kerasft.display import shows_progress


@dataclass(frozen=True, repr=False)
class Check:
    """What a check found.

    Attributes:
        findings: Problems and notes, the most important first. Each has a `name`, a `level`
            (`error`, `warning` or `note`), a `text`, the `count` of examples it is about, the
            origins of the first twenty as `examples`, and `changes` of settings or an `advice`.
        examples: Number of examples by split.
    """

    findings: tuple[DataFinding, ...]
    examples: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would make training wrong."""
        return all(finding.level != "error" for finding in self.findings)

    def __repr__(self) -> str:
        counts = Counter(finding.level for finding in self.findings)
        words = [f"{counts[level]} {level}{'s' * (counts[level] != 1)}" for level in LEVELS]
        return f"<Check: {', '.join(words)}>"


@shows_progress
def check(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    progress: bool = True,
    **settings: Any,
) -> Check:
    """Check the data of a recipe without training on them.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; its defaults where None.
        progress: Whether to write progress to stderr.
        **settings: Settings by name, which replace those of `config`.

    Raises:
        SettingError: A setting is unknown or out of range.
        DataError: The data cannot be read.
        NetworkError: A download failed.

    Example:
        >>> kerasft.check("resnet_digits", dataset="photos/").findings[0].text
    """
    module = recipe_module(recipe)
    config = with_keywords(module.Config, config, settings, signature(check).parameters)
    keras.utils.set_random_seed(config.seed)
    data = load_recipe_data(module, config)
    parts = {name: getattr(data, name) for name in SPLITS}
    counts = {name: len(part.y) for name, part in parts.items() if hasattr(part, "y")}
    return Check(data.findings, counts)
