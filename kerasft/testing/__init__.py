"""Utilities for testing recipes: tiny real presets and a conformance check.

def test_my_recipe(tmp_path):
    kerasft.testing.check_recipe("my_recipe.py", tmp_path, dataset="tiny_photos/")
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.catalog import recipe_module
from kerasft.config import Config, from_dict, to_dict
from kerasft.errors import KerasftError
from kerasft.setting_declaration import settings as setting_names
from kerasft.testing.tiny_images import IMAGE_FAMILIES
from kerasft.testing.tiny_texts import TEXT_FAMILIES

FAMILIES: dict[str, Callable[[Path], Path | None]] = {**IMAGE_FAMILIES, **TEXT_FAMILIES}


def tiny_preset(family: str, folder: str | Path) -> str:
    """Save a tiny backbone with random weights as a preset.

    Args:
        family: Backbone family, one of `FAMILIES`: `resnet`, `vit`, `bert`, `gpt2`, ...
        folder: Folder to save the preset in.

    Returns:
        Path of the folder or `.keras` file, for `preset=`.

    Raises:
        KerasftError: The family is unknown.

    Example:
        >>> config = recipe.Config(preset=tiny_preset("bert", tmp_path / "bert"))
    """
    from kerasft.seeds import set_seed

    if family not in FAMILIES:
        raise KerasftError(f"`family` must be one of {', '.join(FAMILIES)}. Received: {family!r}.")
    folder = Path(folder)
    set_seed(0)
    return str(FAMILIES[family](folder) or folder)


def check_recipe(
    recipe: ModuleType | str, folder: str | Path, *, fit: bool = True, **settings: Any
) -> None:
    """Check that a recipe conforms to the recipe interface, by fitting it for one epoch.

    The checks: the recipe loads, its settings survive a JSON round trip, the search space names
    settings, the output shape of the model matches the data, `trainable_blocks=0` freezes the
    backbone, a fit writes a complete run, and the loaded run predicts reproducibly.

    Args:
        recipe: Recipe module, name of a recipe, or path of its file.
        folder: Folder to write the run in.
        fit: Whether to run the checks that need a fit; the others take a third of the time.
        **settings: Settings that make the fit fast, such as a tiny preset and a small dataset.

    Raises:
        KerasftError: A check fails; the message says which.

    Example:
        >>> check_recipe("my_recipe.py", tmp_path, dataset="tiny_photos/")
    """
    import numpy as np

    import kerasft
    from kerasft.data import load_recipe_data
    from kerasft.evaluation.predict import predict_arrays
    from kerasft.models.recipe_model import build_recipe_model

    module = recipe_module(recipe)
    config = module.Config(**{"epochs": 1, "head_epochs": 0, "batch_size": 8, **settings})
    if from_dict(type(config), json.loads(json.dumps(to_dict(config)))) != config:
        raise KerasftError(
            "The settings change in a JSON round trip. Declare settings of Config with types that "
            "JSON can represent."
        )
    _check_search_space(module, config)
    data = load_recipe_data(module, config)
    build_recipe_model(module, config, data)
    if not fit:
        return
    if config.pretrained:
        _check_freezing(module, config, data)
    run = kerasft.fit(module, config, runs_dir=Path(folder) / "runs", progress=False)
    first, again = (kerasft.load_model(run).model for _ in range(2))
    part: Any = data.validation
    one, two = (predict_arrays(m, part.x, config.batch_size) for m in (first, again))
    if not np.array_equal(one, two):
        raise KerasftError(
            "The same run, loaded twice, predicts differently. Remove randomness at inference from "
            "build_model."
        )
    _check_record(run, data)


def _check_freezing(module: ModuleType, config: Config, data: Any) -> None:
    from kerasft.models import block_rows
    from kerasft.models.recipe_model import build_recipe_model

    frozen = dataclasses.replace(config, trainable_blocks=0, lora_rank=0)
    rows = block_rows(build_recipe_model(module, frozen, data))
    trained = [row["name"] for row in rows[:-1] if row["trained_parameters"]]
    if trained:
        raise KerasftError(
            "build_model must leave the backbone frozen with trainable_blocks=0 (kerasft.freeze). "
            f"Received trained blocks: {', '.join(trained)}."
        )


def _check_search_space(module: ModuleType, config: Config) -> None:
    if not hasattr(module, "search_space"):
        return
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    module.search_space(hp)
    unknown = sorted(set(hp.values) - set(setting_names(config)))
    if unknown:
        raise KerasftError(
            f"search_space contains {', '.join(unknown)}, which Config lacks. Add the settings to "
            "Config, or remove them from search_space."
        )


def _check_record(run: Any, data: Any) -> None:
    needed: Sequence[str] = ("config.json", "labels.json", "history.csv", "metrics.json")
    missing = [name for name in needed if not (run.path / name).exists()]
    if missing:
        raise KerasftError(f"The run lacks {', '.join(missing)}.")
    if run.manifest["data"]["fingerprint"] != data.fingerprint:
        raise KerasftError(
            "Two calls of load_data return different data. Make load_data deterministic, for "
            "example with config.seed."
        )
