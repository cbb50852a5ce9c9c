"""The model of a recipe, checked."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.augmentation import allow_compilation
from kerasft.recipe_errors import errors_in


def build_recipe_model(recipe: ModuleType, config: Any, data: Any) -> keras.Model:
    """Return what `build_model` of a recipe returns.

    Args:
        recipe: Recipe module.
        config: Settings.
        data: Prepared data.

    Raises:
        SettingError: The function failed, or returned no model with the outputs of the labels.
    """
    with errors_in(recipe, "build_model"):
        model = recipe.build_model(config, data)
    expected = (None, data.labels.num_outputs)
    found = getattr(getattr(model, "output", None), "shape", None)
    if not isinstance(model, keras.Model) or found is None or tuple(found) != expected:
        received = repr(model) if found is None else f"outputs of shape {tuple(found)}"
        raise SettingError(
            f"`build_model` of {recipe.__name__.rpartition('.')[2]} must return a keras.Model with "
            f"outputs of shape {expected} for these data. Received: {received:.80}."
        )
    allow_compilation(model)
    return model
