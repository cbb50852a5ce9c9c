"""A run brought back to a model: measured, and used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.data import (
    Examples,
    check_pairs,
    prepare_split,
    read_dataset,
)
from kerasft.errors import DataError, SettingError
from kerasft.evaluation.load import Loaded, load_model, with_columns
from kerasft.evaluation.metrics import measure
from kerasft.evaluation.predict import predict_arrays
from kerasft.runs import Run, load_run


def evaluate(
    run: Run | str | Path,
    *,
    dataset: str | None = None,
    split: str = "test",
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measure a run on one of its own splits, or on another dataset.

    Args:
        run: A run or the path of its folder.
        dataset: Another dataset with the same classes: its test split where it has one, else
            all of it. The run's own by default.
        split: `validation` or `test` of the run's own data.
        columns: What columns are called in the other dataset, by setting: text_column,
            text_pair_column, image_column, label_column. The run's own names by default.

    Returns:
        As `measure`.

    Raises:
        SettingError: There is no such split.
        DataError: The data have changed since the run was made, or cannot be used.
    """
    run = run if isinstance(run, Run) else load_run(run)
    if columns and not dataset:
        raise SettingError("`columns` speaks of another dataset: give `dataset` too.")
    loaded = with_columns(load_model(run), columns)
    part = _other_data(loaded, dataset) if dataset else _own_split(run, loaded, split)
    predictions = predict_arrays(loaded.model, part.x, loaded.config.batch_size)
    return measure(loaded.config, loaded.labels, part.y, predictions)


def _own_split(run: Run, loaded: Loaded, split: str) -> Any:
    if split not in ("train", "validation", "test"):
        raise SettingError(f"`split` must be train, validation or test. Received: split={split!r}.")
    data = loaded.recipe.load_data(loaded.config)
    if data.fingerprint != run.manifest["data"]["fingerprint"]:
        raise DataError(
            f"The dataset {loaded.config.dataset} is not what it was when {run.path} was made; "
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
