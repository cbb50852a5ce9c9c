"""Loading the model of a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from kerasft.calibration import Calibration
from kerasft.config import Config, ConfigType, from_record
from kerasft.data import Data, Labels, column_names
from kerasft.display import current, status
from kerasft.errors import ResumeError, SettingError, did_you_mean
from kerasft.formatting import epoch_text
from kerasft.models import with_features
from kerasft.models.dtype_policy import precision
from kerasft.models.freezing import changing_weights
from kerasft.models.recipe_model import build_recipe_model
from kerasft.runs import Run, load_run
from kerasft.runs.calibration_file import read_calibration
from kerasft.runs.manifest import read_manifest
from kerasft.runs.provenance import recorded_recipe, weights_changed
from kerasft.runs.weights import restore_weights
from kerasft.setting_declaration import settings


@dataclasses.dataclass(frozen=True, repr=False)
class Loaded:
    """A run in memory.

    Attributes:
        recipe: Module of the recipe.
        config: Settings of the run, with float32 as `precision`.
        labels: Task and class names, in the order of the outputs.
        model: Fine-tuned model in float32, frozen as in training, not compiled.
        pairs: Whether the inputs are text pairs.
        calibration: What was fitted on the validation split.
    """

    recipe: ModuleType
    config: Config
    labels: Labels
    model: keras.Model
    pairs: bool = False
    calibration: Calibration = dataclasses.field(default_factory=Calibration)

    @functools.cached_property
    def model_with_features(self) -> keras.Model | None:
        """The model with its features as a second output; see `kerasft.models.with_features`.

        It is built once, so that Keras traces it once.
        """
        return with_features(self.model)

    def __repr__(self) -> str:
        recipe = self.recipe.__name__.rpartition(".")[2]
        return f"<Loaded: {recipe}, {self.model.count_params():,} parameters>"


def load_model(run: Run | str | Path) -> Loaded:
    """Rebuild the model of a run with its trained weights.

    Args:
        run: Run, or its folder or name as in `load_run`.

    Raises:
        DamagedFileError: A file of the run is missing or has changed.
        ResumeError: The preset or the recipe of the run is missing or has changed.

    Example:
        >>> loaded = kerasft.load_model("runs/resnet_digits/2026-01-31_12-00-00")
        >>> loaded.model.predict(images)
    """
    run = load_run(run)
    status(f"loading {run.path}")
    manifest = read_manifest(run.path / "manifest.json", "recipe", "weights")
    recipe = recorded_recipe(run)
    config: Config = from_record(recipe.Config, run.config, manifest, column_names)
    config = dataclasses.replace(config, precision="float32")
    trained = manifest["weights"]["stored"] == "trained"
    if trained:
        _check_preset(run, config)
    labels = Labels.from_dict(run.labels)
    with precision("float32"):
        model = build_recipe_model(recipe, config, Data(None, None, None, labels))
    if trained:
        _check_preset(run, config)  # again: it may have been downloaded meanwhile
    restore_weights(run, changing_weights(model) if trained else model.weights)
    if run.state != "done":
        current().line(_which_weights(run))
    return Loaded(recipe, config, labels, model, run.pairs, read_calibration(run))


def _which_weights(run: Run) -> str:
    """Return the note about the weights of an unfinished run."""
    best, epochs = run.manifest.get("best_epoch"), len(run.history)
    which = "of its best epoch so far"
    if best is not None:
        which = f"of epoch {epoch_text(best)}, the best of {epochs}"
    return f"note   {run.path} is {run.state}: its weights are those {which}"


def _check_preset(run: Run, config: Config) -> None:
    """Raise ResumeError if the preset of a run is missing or has changed."""
    try:
        changed = weights_changed(run.manifest["weights"], config)
    except SettingError as error:
        raise ResumeError(f"The preset of {run.path} cannot be found: {error}") from error
    if changed:
        raise ResumeError(
            f"The files of the preset {config.preset} have changed since {run.path} was trained "
            "from it. Restore the original files."
        )


def replace_columns(config: ConfigType, columns: Mapping[str, str] | None) -> ConfigType:
    """Return settings whose dataset has other column names.

    Args:
        config: The settings.
        columns: The names by setting, such as `label_column`.

    Raises:
        SettingError: A name is not a column setting of this config.
    """
    known = [name for name, item in settings(config).items() if item.role == "column"]
    for name in columns or ():
        if name not in known:
            raise SettingError(
                f"`{name}` is not a column setting of this run (settings: {', '.join(known)})."
                f"{did_you_mean(name, known)}"
            )
    changes: dict[str, Any] = dict(columns or {})
    return dataclasses.replace(config, **changes)
