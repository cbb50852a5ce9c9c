"""Description of a recipe, read from its source without importing it."""

from __future__ import annotations

from typing import Any

from kerasft import catalog


def describe_recipe(recipe: catalog.Recipe) -> dict[str, Any]:
    """Return name, summary, dataset, preset and path of a recipe."""
    defaults = catalog.recipe_defaults(recipe)
    dataset, preset = defaults.get("dataset", ""), defaults.get("preset", "")
    return {
        "name": recipe.name,
        "offline": _is_offline(str(dataset), str(preset)),
        "summary": recipe.summary,
        "dataset": dataset,
        "preset": preset,
        "path": recipe.path,
    }


def _is_offline(dataset: str, preset: str) -> bool:
    """Return whether the default data and weights of a recipe work without a network.

    A recipe without a preset starts from random weights.
    """
    return not dataset.startswith("tfds:") and (not preset or preset.startswith("package:"))
