"""Predictions of a run for images, tables and texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, examples_of, prepare_inputs, read_rows, readable, stream
from kerasft.display import Activity, progress
from kerasft.errors import DataError
from kerasft.evaluation.artifact import Artifact, decide_by_artifact, open_artifact
from kerasft.evaluation.load import Loaded, load_model, replace_columns
from kerasft.in_memory import is_frame
from kerasft.modalities import Input
from kerasft.runs import Run

OnError = Callable[[DataError], None] | None


class _Count(keras.callbacks.Callback):
    """Moves a bar by the examples of every batch."""

    async_safe = True  # Keras calls it in a thread, so that predictions do not wait for it

    def __init__(self, bar: Activity, batch_size: int) -> None:
        super().__init__()
        self.bar, self.batch_size = bar, batch_size

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.done = min((batch + 1) * self.batch_size, self.bar.total or 0)
        self.bar.changed()


def predict_arrays(
    model: keras.Model,
    x: Any,
    batch_size: int = 32,
    *,
    lengths: np.ndarray | None = None,
    title: str = "predicting",
) -> Any:
    """Return the outputs of a model for prepared inputs, shape (n, outputs).

    A model with several outputs, such as one with features, returns a list.

    Args:
        model: Model, or the part of it after the frozen prefix.
        x: Inputs, as in `Split.x`, or frozen features.
        batch_size: Examples per batch.
        lengths: Number of tokens of each text, shape (n,); by default counted in the
            `padding_mask` of x.
        title: Title of the progress bar.
    """
    batches = Batches(x, batch_size=batch_size, by_length=True, lengths=lengths)
    with progress(title, batches.num_examples) as bar:
        count = _Count(bar, batch_size)
        predicted = model.predict(stream(batches), verbose=0, callbacks=[count])
    return keras.tree.map_structure(lambda part: _in_order(np.asarray(part), batches), predicted)


def _in_order(predicted: np.ndarray, batches: Batches) -> np.ndarray:
    """Return outputs in the order of the inputs; batches are ordered by length."""
    outputs = np.empty_like(predicted)
    outputs[batches.order] = predicted
    return outputs


def decide(loaded: Loaded, x: Any, *, title: str = "predicting") -> list[dict[str, np.ndarray]]:
    """Return the answers of a run to prepared inputs, one dict of `Task.decide` per example.

    Args:
        loaded: Run in memory.
        x: Inputs, as in `Split.x`.
        title: Title of the progress bar.
    """
    return by_example(run_answers(loaded, x, title=title)[1])


def run_answers(
    loaded: Loaded, x: Any, *, title: str = "measuring"
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the outputs of a run for prepared inputs, and the arrays of `Task.decide`.

    Args:
        loaded: Run in memory.
        x: Inputs, as in `Split.x`.
        title: Title of the progress bar.
    """
    outputs, features = _outputs(loaded, x, title)
    decided = loaded.labels.kind.decide(loaded.labels, outputs, loaded.calibration, features)
    return outputs, {name: keras.ops.convert_to_numpy(value) for name, value in decided.items()}


def _outputs(loaded: Loaded, x: Any, title: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the outputs of a run, and the features of its inputs if its calibration needs them."""
    model = None if loaded.calibration.known is None else loaded.model_with_features
    batch_size = loaded.config.batch_size
    if model is None:
        return predict_arrays(loaded.model, x, batch_size, title=title), None
    outputs, features = predict_arrays(model, x, batch_size, title=title)
    return outputs, features


def by_example(decided: Mapping[str, Any]) -> list[dict[str, np.ndarray]]:
    """Return the answers of `Task.decide` as one dict per example."""
    arrays = {name: keras.ops.convert_to_numpy(value) for name, value in decided.items()}
    count = len(next(iter(arrays.values())))
    return [{name: array[n] for name, array in arrays.items()} for n in range(count)]


def predict(
    run: Run | str | Path,
    inputs: Any,
    *,
    columns: Mapping[str, str] | None = None,
    on_error: OnError = None,
    as_frame: bool = False,
) -> Any:
    """Predict images or texts with a run or an exported model.

    Args:
        run: Run, or its folder or name as in `load_run`; or the folder of an exported model, or its
            `.onnx` or `.tflite` file, whose graph then answers.
        inputs: Several inputs, one alone, or a table in memory (a DataFrame, or a mapping of
            columns). For images, paths of files, folders or tables with an image column, images of
            Pillow, uint8 arrays, or bytes of image files. For texts, the texts themselves, paths of
            tables, or of .txt files with one text per line. The lines of an open file are texts, or
            paths of images.
        columns: Column names of tables, by setting, as in `evaluate`.
        on_error: Function that is called with the error of every input that cannot be read; such an
            input has no row in the result. By default the first error is raised.
        as_frame: Whether to return a DataFrame of pandas; it has the index of a DataFrame that is
            given as `inputs`.

    Returns:
        One dict, or one row of a DataFrame, per input: `input` and `prediction`; for classification
        also `probability` (of the prediction) and `p(NAME)` for every class; for multi-label only
        `p(NAME)`. Probabilities are calibrated, and labels chosen by the thresholds of the run.
        What its calibration has is added: `known` and `known_score`, `accepted`, `prediction_set`
        (names of classes, joined by `|`), or for numbers `lower` and `upper`. Numbers have the
        `unit` of the setting `target_unit`. A row of a table in a file begins with its other
        columns; one with the name of a result is called `NAME (table)`.

    Raises:
        SettingError: The run was not found.
        DataError: An input cannot be read.

    Example:
        >>> kerasft.predict("latest", ["where is my parcel?"])[0]["prediction"]
        'delivery'
        >>> kerasft.predict("latest", frame, as_frame=True)["prediction"]
    """
    model = open_artifact(run) or load_model(run)
    config = replace_columns(model.config, columns)
    found = read_rows(config, inputs, pairs=model.pairs, on_error=on_error)
    if isinstance(model, Artifact):
        found, answers = decide_by_artifact(model, found, on_error)
    else:
        found, x = _prepare(model.config, found, on_error)
        answers = decide(model, x) if found else []
    rows = [
        _row(item, model.labels.kind.row(model.labels, answer))
        for item, answer in zip(found, answers, strict=True)
    ]
    if not as_frame:
        return rows
    import pandas as pd

    index = inputs.index[[item.row for item in found]] if is_frame(inputs) else None
    return pd.DataFrame(rows, index=index)


def _prepare(config: Config, inputs: list[Input], on_error: OnError) -> tuple[list[Input], Any]:
    """Return the inputs that can be prepared, and their arrays."""
    try:
        return inputs, prepare_inputs(config, examples_of(inputs)) if inputs else None
    except DataError:
        if on_error is None:
            raise
    inputs = readable(config, inputs, on_error)
    return inputs, prepare_inputs(config, examples_of(inputs)) if inputs else None


def _row(item: Input, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of one input: the other columns of its table, the input, the result."""
    row = {"input": _input_name(item.value, item.origin), **result}
    others = {f"{n} (table)" if n in row else n: cell for n, cell in item.columns.items()}
    return {**others, **row}


def _input_name(item: Any, origin: str) -> str:
    """Return the text or image path of an input, or its origin if it has neither."""
    if isinstance(item, tuple):
        return "\t".join(item)
    return str(item) if isinstance(item, (str, Path)) else origin
