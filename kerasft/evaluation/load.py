"""A run brought back to a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from kerasft.config import Config, TextConfig, from_dict
from kerasft.data import Data, Labels
from kerasft.errors import ResumeError, SettingError, did_you_mean
from kerasft.models.freezing import changing_weights
from kerasft.models.precision import precision
from kerasft.runs import Run, load_run, restore_weights
from kerasft.runs.provenance import describe_weights, recorded_recipe


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A run in memory.

    Attributes:
        recipe: The recipe's module.
        config: The settings of the run.
        labels: What the outputs mean.
        model: The fine-tuned model, frozen as it was trained, not compiled.
        pairs: Whether it reads pairs of texts.
    """

    recipe: ModuleType
    config: Config
    labels: Labels
    model: keras.Model
    pairs: bool = False


def load_model(run: Run | str | Path) -> Loaded:
    """Build the model of a run again and give it its trained weights.

    Args:
        run: A run or the path of its folder.

    Raises:
        DamagedFileError: A file of the run is missing or changed.
        ResumeError: The preset under it, or the recipe, is gone or has changed.

    Example:
        >>> loaded = kerasft.load_model("runs/resnet_digits/2026-01-31_12-00-00")
        >>> loaded.model.predict(images)
    """
    run = run if isinstance(run, Run) else load_run(run)
    recipe = recorded_recipe(run)
    config = _settings(recipe, run)
    stored = run.manifest["weights"]
    try:
        fingerprint = describe_weights(config)["fingerprint"]
    except SettingError as error:
        raise ResumeError(f"The preset of {run.path} is not there any more: {error}") from error
    if stored["stored"] == "trained" and fingerprint != stored["fingerprint"]:
        raise ResumeError(
            f"The preset {config.preset} is not the one that {run.path} was trained from: its "
            "files have changed. Put the old files back."
        )
    labels = Labels.from_dict(run.labels)
    with precision(config.precision):
        model = recipe.build_model(config, Data(None, None, None, labels))
    trained = stored["stored"] == "trained"
    restore_weights(run, changing_weights(model) if trained else model.weights)
    return Loaded(recipe, config, labels, model, run.pairs)


def _settings(recipe: ModuleType, run: Run) -> Config:
    """Return the settings of a run; its data may not have had the recipe's second column."""
    config: Config = from_dict(recipe.Config, run.config)
    if isinstance(config, TextConfig) and not run.pairs:
        return dataclasses.replace(config, text_pair_column=None)
    return config


COLUMNS = ("text_column", "text_pair_column", "image_column", "label_column")


def with_columns(loaded: Loaded, columns: Mapping[str, str] | None) -> Loaded:
    """Return a run that reads other columns."""
    known = [name for name in COLUMNS if hasattr(loaded.config, name)]
    for name in columns or ():
        if name not in known:
            raise SettingError(
                f"`{name}` is no column that this run reads.{did_you_mean(name, known)} It has "
                f"{', '.join(known)}."
            )
    changes: dict[str, Any] = dict(columns or {})
    return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, **changes))
