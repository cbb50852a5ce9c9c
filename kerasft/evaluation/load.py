"""Loading the model of a run."""

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
        recipe: Module of the recipe.
        config: Settings of the run.
        labels: Task and class names, in the order of the outputs.
        model: Fine-tuned model, frozen as in training, not compiled.
        pairs: Whether the inputs are text pairs.
    """

    recipe: ModuleType
    config: Config
    labels: Labels
    model: keras.Model
    pairs: bool = False


def load_model(run: Run | str | Path) -> Loaded:
    """Rebuild the model of a run with its trained weights.

    Args:
        run: Run, or path of its folder.

    Raises:
        DamagedFileError: A file of the run is missing or has changed.
        ResumeError: The preset or the recipe of the run is missing or has changed.

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
        raise ResumeError(f"The preset of {run.path} cannot be found: {error}") from error
    if stored["stored"] == "trained" and fingerprint != stored["fingerprint"]:
        raise ResumeError(
            f"The files of the preset {config.preset} have changed since {run.path} was trained "
            "from it. Restore the original files."
        )
    labels = Labels.from_dict(run.labels)
    with precision(config.precision):
        model = recipe.build_model(config, Data(None, None, None, labels))
    trained = stored["stored"] == "trained"
    restore_weights(run, changing_weights(model) if trained else model.weights)
    return Loaded(recipe, config, labels, model, run.pairs)


def _settings(recipe: ModuleType, run: Run) -> Config:
    """Return the settings of a run, without a second text column if its data had none."""
    config: Config = from_dict(recipe.Config, run.config)
    if isinstance(config, TextConfig) and not run.pairs:
        return dataclasses.replace(config, text_pair_column=None)
    return config


COLUMNS = ("text_column", "text_pair_column", "image_column", "label_column")


def with_columns(loaded: Loaded, columns: Mapping[str, str] | None) -> Loaded:
    """Return a loaded run that reads other columns.

    Args:
        loaded: Run in memory.
        columns: Column names by setting, a subset of `COLUMNS`; None changes nothing.

    Raises:
        SettingError: The config of the run lacks one of these settings.
    """
    known = [name for name in COLUMNS if hasattr(loaded.config, name)]
    for name in columns or ():
        if name not in known:
            raise SettingError(
                f"`{name}` is not a column setting of this run (settings: {', '.join(known)})."
                f"{did_you_mean(name, known)}"
            )
    changes: dict[str, Any] = dict(columns or {})
    return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, **changes))
