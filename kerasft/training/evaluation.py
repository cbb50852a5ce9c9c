"""A run brought back to a model: measured, and used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from kerasft.catalog import load_recipe
from kerasft.config import Config, TextConfig, from_dict
from kerasft.data import (
    Batches,
    Data,
    Examples,
    Labels,
    check_pairs,
    prepare_inputs,
    prepare_split,
    read_dataset,
    read_inputs,
    stream,
)
from kerasft.errors import DataError, ResumeError, SettingError, did_you_mean
from kerasft.runs import Run, load_run, restore_weights
from kerasft.training.phases import changing_weights
from kerasft.training.precision import precision
from kerasft.training.provenance import describe_weights
from kerasft.training.scores import measure

COLUMNS = ("text_column", "text_pair_column", "image_column", "label_column")


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
    """Builds the model of a run again and gives it its trained weights.

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
    source = run.manifest["recipe"]["source"]
    try:
        recipe = load_recipe(source)
    except SettingError as error:
        raise ResumeError(f"The recipe of {run.path} cannot be loaded: {error}") from error
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
    """Returns the settings of a run; its data may not have had the recipe's second column."""
    config: Config = from_dict(recipe.Config, run.config)
    if isinstance(config, TextConfig) and not run.pairs:
        return dataclasses.replace(config, text_pair_column=None)
    return config


def predict_arrays(
    model: keras.Model, x: Any, batch_size: int = 32, *, lengths: np.ndarray | None = None
) -> np.ndarray:
    """Returns the model's outputs for prepared inputs, shape (n, outputs).

    Args:
        model: Any part of a model that ends with its output.
        x: As `Split.x`, or what a tail reads.
        batch_size: Examples in a batch.
        lengths: Of texts, where x does not tell them.
    """
    batches = Batches(x, batch_size=batch_size, by_length=True, lengths=lengths)
    predicted = np.asarray(model.predict(stream(batches), verbose=0))
    outputs = np.empty_like(predicted)
    outputs[batches.order] = predicted
    return outputs


def evaluate(
    run: Run | str | Path,
    *,
    dataset: str | None = None,
    split: str = "test",
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measures a run on one of its own splits, or on another data set.

    Args:
        run: A run or the path of its folder.
        dataset: Another data set with the same classes: its test split where it has one, else
            all of it. The run's own by default.
        split: `validation` or `test` of the run's own data.
        columns: What columns are called in the other data set, by setting: text_column,
            text_pair_column, image_column, label_column. The run's own names by default.

    Returns:
        As `measure`.

    Raises:
        SettingError: There is no such split.
        DataError: The data have changed since the run was made, or cannot be used.
    """
    run = run if isinstance(run, Run) else load_run(run)
    if columns and not dataset:
        raise SettingError("`columns` speaks of another data set: give `dataset` too.")
    loaded = _with_columns(load_model(run), columns)
    part = _other_data(loaded, dataset) if dataset else _own_split(run, loaded, split)
    predictions = predict_arrays(loaded.model, part.x, loaded.config.batch_size)
    return measure(loaded.config, loaded.labels, part.y, predictions)


def _with_columns(loaded: Loaded, columns: Mapping[str, str] | None) -> Loaded:
    """Returns a run that reads other columns."""
    known = [name for name in COLUMNS if hasattr(loaded.config, name)]
    for name in columns or ():
        if name not in known:
            raise SettingError(
                f"`{name}` is no column that this run reads.{did_you_mean(name, known)} It has "
                f"{', '.join(known)}."
            )
    changes: dict[str, Any] = dict(columns or {})
    return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, **changes))


def _own_split(run: Run, loaded: Loaded, split: str) -> Any:
    if split not in ("train", "validation", "test"):
        raise SettingError(f"`split` must be train, validation or test. Received: split={split!r}.")
    data = loaded.recipe.load_data(loaded.config)
    if data.fingerprint != run.manifest["data"]["fingerprint"]:
        raise DataError(
            f"The data set {loaded.config.dataset} is not what it was when {run.path} was made; "
            "its splits may differ, so a score could count training examples. Measure the "
            "present data as a whole with --dataset."
        )
    part = getattr(data, split)
    if part is None:
        raise SettingError(f"The data of {run.path} have no {split} split.")
    return part


def _other_data(loaded: Loaded, dataset: str) -> Any:
    config = dataclasses.replace(
        loaded.config, dataset=dataset, train_split=None, validation_split=None, test_split=None
    )
    parts = read_dataset(config)
    for part in parts.values():
        check_pairs(part.inputs, dataset, pairs=loaded.pairs)
    if "test" in parts:
        return prepare_split(config, parts["test"], loaded.labels)
    everything = Examples(
        [item for part in parts.values() for item in part.inputs],
        [label for part in parts.values() for label in part.labels or []],
        [origin for part in parts.values() for origin in part.origins],
    )
    return prepare_split(config, everything, loaded.labels)


def predict(
    run: Run | str | Path, inputs: Sequence[str], *, columns: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Predicts files, folders, tables or texts with a run.

    Args:
        run: A run or the path of its folder.
        inputs: For images paths of files, folders or tables with a column of paths; for texts
            the texts themselves, tables, or .txt files with one text a line.
        columns: As `evaluate` has them, for tables.

    Returns:
        One row an input: `input`, `prediction`, and `probability` with a `p(NAME)` for every
        class (not for regression).

    Raises:
        DataError: An input cannot be read.

    Example:
        >>> kerasft.predict(run, ["where is my parcel?"])[0]["prediction"]
        'delivery'
    """
    loaded = _with_columns(load_model(run), columns)
    examples = read_inputs(loaded.config, inputs, pairs=loaded.pairs)
    x = prepare_inputs(loaded.config, examples)
    outputs = predict_arrays(loaded.model, x, loaded.config.batch_size)
    pairs = zip(examples.inputs, examples.origins, strict=True)
    names = [_input_name(item, origin) for item, origin in pairs]
    return [_row(loaded.labels, name, row) for name, row in zip(names, outputs, strict=True)]


def _input_name(item: Any, origin: str) -> str:
    """Returns a text as it is and an image by its path; else where the input came from."""
    if isinstance(item, tuple):
        return "\t".join(item)
    return str(item) if isinstance(item, (str, Path)) else origin


def _row(labels: Labels, name: str, output: np.ndarray) -> dict[str, Any]:
    if labels.task == "regression":
        # Nine digits are what float32 holds of a number.
        return {"input": name, "prediction": float(f"{output[0]:.9g}")}
    # Six decimals are what float32 holds of a probability.
    output = np.round(output.astype("float64"), 6)
    each = {f"p({label})": float(p) for label, p in zip(labels.names, output, strict=True)}
    if labels.task == "multilabel":
        chosen = [label for label, p in zip(labels.names, output, strict=True) if p >= 0.5]
        return {"input": name, "prediction": "|".join(chosen), **each}
    best = int(output.argmax())
    probability = float(output[best])
    return {"input": name, "prediction": labels.names[best], "probability": probability, **each}
