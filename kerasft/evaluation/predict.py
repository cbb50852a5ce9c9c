"""Predictions of a run for images, tables and texts."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, InputStream, examples_of, prepare_inputs, readable, stream
from kerasft.data.predict_inputs import OnError
from kerasft.display import Activity, progress
from kerasft.errors import DataError
from kerasft.evaluation.artifact import Artifact, decide_by_artifact, open_artifact
from kerasft.evaluation.load import Loaded, load_model, replace_columns
from kerasft.evaluation.run_answers import RunAnswers, by_example, part_size
from kerasft.in_memory import is_frame
from kerasft.modalities import Input
from kerasft.models.fast_layers import own_graphs
from kerasft.runs import Run
from kerasft.signals import holding_signals

Predicted = tuple[Input, dict[str, Any]]  # an input and its row


class _Count(keras.callbacks.Callback):
    """Moves a bar by the examples of every batch."""

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
    rows: np.ndarray | None = None,
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
        rows: Positions of the inputs to predict, in ascending order; all by default.
        title: Title of the progress bar.
    """
    batches = Batches(x, batch_size=batch_size, by_length=True, lengths=lengths, rows=rows)
    with progress(title, batches.num_examples) as bar, holding_signals() as act_on_signals:
        callbacks = [_Count(bar, batch_size), act_on_signals]
        with own_graphs():
            predicted = model.predict(stream(batches), verbose=0, callbacks=callbacks)
    # Batches are ordered by length.
    order = np.argsort(batches.order)
    return keras.tree.map_structure(lambda part: np.asarray(part)[order], predicted)


def predict(
    run: Run | str | Path,
    inputs: Any,
    *,
    columns: Mapping[str, str] | None = None,
    on_error: OnError = None,
    as_frame: bool = False,
    stream: bool = False,
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
        stream: Whether to return an iterator that reads and predicts part by part, in constant
            memory: of dicts, or of DataFrames with thousands of rows. `inputs` can be an iterator
            too.

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
        >>> for row in kerasft.predict("latest", "million.csv", stream=True):
        ...     print(row["prediction"])
    """
    model = open_artifact(run) or load_model(run)
    config = replace_columns(model.config, columns)
    index = inputs.index if is_frame(inputs) else None
    parts = _predicted_parts(model, config, inputs, on_error)
    if not stream:
        parts = iter([[pair for part in parts for pair in part]])
    if as_frame:
        frames = (_frame(part, index) for part in parts)
        return frames if stream else next(frames)
    rows = (row for part in parts for _, row in part)
    return rows if stream else list(rows)


def _predicted_parts(
    model: Artifact | Loaded, config: Config, inputs: Any, on_error: OnError
) -> Iterator[list[Predicted]]:
    """Yield inputs with their rows, as many together as are prepared at once."""
    with progress("predicting") as bar:
        if isinstance(model, Artifact):
            answer = functools.partial(decide_by_artifact, model, bar=bar)
        else:
            answer = functools.partial(_decide_by_run, model, RunAnswers(model, bar))
        found = InputStream(config, pairs=model.pairs, on_error=on_error, bar=bar).read(inputs)
        while part := list(itertools.islice(found, part_size(config))):
            kept, answers = answer(part, on_error)
            yield [
                (item, _row(item, model.labels.kind.row(model.labels, each)))
                for item, each in zip(kept, answers, strict=True)
            ]


def _decide_by_run(
    loaded: Loaded, answers: RunAnswers, inputs: list[Input], on_error: OnError
) -> tuple[list[Input], list[dict[str, Any]]]:
    """Return the inputs that can be prepared, and the answers to them."""
    inputs, x = _prepare(loaded.config, inputs, on_error)
    return inputs, by_example(answers.of(x)[1]) if inputs else []


def _frame(part: Sequence[Predicted], index: Any) -> Any:
    import pandas as pd

    index = None if index is None else index[[item.row for item, _ in part]]
    return pd.DataFrame([row for _, row in part], index=index)


def _prepare(config: Config, inputs: list[Input], on_error: OnError) -> tuple[list[Input], Any]:
    """Return the inputs that can be prepared, and their arrays."""
    try:
        return inputs, prepare_inputs(config, examples_of(inputs))
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
