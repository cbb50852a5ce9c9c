"""Evaluation of a run, on its own splits or on another dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.data import encode_examples
from kerasft.errors import SettingError
from kerasft.evaluation.artifact import Artifact, open_artifact
from kerasft.evaluation.load import Loaded, load_model, replace_columns
from kerasft.evaluation.metrics import (
    measure,
    measure_answers,
    measure_calibrated,
    with_interval,
)
from kerasft.evaluation.other_data import as_dataset, other_examples, other_parts
from kerasft.evaluation.own_data import own_split
from kerasft.evaluation.run_answers import answer_parts, run_answers
from kerasft.evaluation.seen_examples import count_seen
from kerasft.in_memory import PREFIX
from kerasft.runs import Run, load_run


def evaluate(
    run: Run | str | Path,
    *,
    dataset: Any = None,
    split: str = "test",
    columns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Evaluate a run on one of its own splits, or a run or an exported model on another dataset.

    Args:
        run: Run, or its folder or name as in `load_run`; or the folder of an exported model, or its
            `.onnx` or `.tflite` file, whose graph then answers. An exported model needs `dataset`.
        dataset: Another dataset with the same classes (a source or a table in memory, as for
            `kerasft.Dataset`), of which the test split is used, or all examples if it has none. By
            default the dataset of the run. The table that the run was fitted on is its own
            dataset, of which `split` is used.
        split: Split of the run's own dataset: `train`, `validation` or `test`.
        columns: Column names in the other dataset, by setting: text_column, text_pair_column,
            image_column, label_column. By default those of the run; a default of the recipe that
            the other dataset lacks is found by its usual names.

    Returns:
        Metrics of the outputs, as from `measure`, those of the calibrated answers as `calibrated`
        (where the run has a calibration), and `confidence_interval`: the lower and upper end of the
        95% interval of the main metric, by its name; empty for multi-label. For another dataset
        also `seen`: how many of its examples are in the `train` and in the `validation` split of
        the run (not for older runs). Of an exported model the metrics are those of the decisions
        of its graph, by its thresholds; it has no `loss` and no `seen`.

    Raises:
        SettingError: The split does not exist, or `columns` is given without `dataset`.
        DataError: The data have changed since the training, or cannot be used.
    """
    artifact = open_artifact(run)
    if artifact is not None:
        return _evaluate_artifact(artifact, dataset, columns)
    run = load_run(run)
    if columns and dataset is None:
        raise SettingError("`columns` needs `dataset`. Give the dataset that has these columns.")
    loaded = load_model(run)
    config = replace_columns(loaded.config, columns)
    other = None if dataset is None else as_dataset(config, dataset)
    own = loaded.config.dataset.source
    if other is not None and not (own.startswith(PREFIX) and other.source == own):
        config, parts = other_parts(config, other, columns or (), pairs=loaded.pairs)
        # All labels are checked before inputs are prepared.
        y = np.concatenate([encode_examples(config, part, loaded.labels) for part in parts()])
        metrics = _measure(loaded, y, *answer_parts(loaded, config, parts(), len(y)))
        seen = count_seen(run, parts())
    else:
        part = own_split(run, loaded, split)
        metrics = _measure(loaded, part.y, *run_answers(loaded, part.x))
        seen = None if other is None else count_seen(run, [part.examples])
    return metrics if seen is None else {**metrics, "seen": seen}


def _measure(
    loaded: Loaded, y: np.ndarray, outputs: np.ndarray, decided: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return the metrics of outputs, their interval, and those of the calibrated answers."""
    scores = decided.get("known_score")
    metrics = measure(loaded.config, loaded.labels, y, outputs)
    return {
        **with_interval(loaded.labels.kind, metrics, y, outputs),
        **measure_calibrated(loaded.labels, y, outputs, loaded.calibration, scores),
    }


def _evaluate_artifact(
    artifact: Artifact, dataset: Any, columns: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return the metrics of the answers of an exported model to a dataset."""
    if dataset is None:
        raise SettingError(
            f"{artifact.path} is an exported model, which has no data. Give a dataset to evaluate "
            "it on: `dataset`."
        )
    config = replace_columns(artifact.config, columns)
    other = as_dataset(config, dataset)
    config, examples = other_examples(config, other, columns or (), pairs=artifact.pairs)
    y = encode_examples(config, examples, artifact.labels)
    return measure_answers(artifact.labels, y, artifact.decide_examples(examples))
