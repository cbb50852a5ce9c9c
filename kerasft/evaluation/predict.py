"""Predictions of a run for images, tables and texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

import keras
import numpy as np

from kerasft.data import Batches, prepare_inputs, read_inputs, stream
from kerasft.evaluation.load import load_model, replace_columns
from kerasft.in_memory import is_frame
from kerasft.runs import Run


def predict_arrays(
    model: keras.Model, x: Any, batch_size: int = 32, *, lengths: np.ndarray | None = None
) -> np.ndarray:
    """Return the outputs of a model for prepared inputs, shape (n, outputs).

    Args:
        model: Model, or the part of it after the frozen prefix.
        x: Inputs, as in `Split.x`, or frozen features.
        batch_size: Examples per batch.
        lengths: Number of tokens of each text, shape (n,); by default counted in the
            `padding_mask` of x.
    """
    batches = Batches(x, batch_size=batch_size, by_length=True, lengths=lengths)
    predicted = np.asarray(model.predict(stream(batches), verbose=0))
    outputs = np.empty_like(predicted)
    outputs[batches.order] = predicted
    return outputs


@overload
def predict(
    run: Run | str | Path,
    inputs: Any,
    *,
    columns: Mapping[str, str] | None = ...,
    as_frame: Literal[False] = ...,
) -> list[dict[str, Any]]: ...


@overload
def predict(
    run: Run | str | Path,
    inputs: Any,
    *,
    columns: Mapping[str, str] | None = ...,
    as_frame: bool,
) -> Any: ...


def predict(
    run: Run | str | Path,
    inputs: Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_frame: bool = False,
) -> Any:
    """Predict images or texts with a run.

    Args:
        run: Run, or its folder or name as in `load_run`.
        inputs: Several inputs, one alone, or a table in memory (a DataFrame, or a mapping of
            columns). For images, paths of files, folders or tables with an image column, images of
            Pillow, uint8 arrays, or bytes of image files. For texts, the texts themselves, paths of
            tables, or of .txt files with one text per line.
        columns: Column names of tables, by setting, as in `evaluate`.
        as_frame: Whether to return a DataFrame of pandas; it has the index of a DataFrame that is
            given as `inputs`.

    Returns:
        One dict, or one row of a DataFrame, per input: `input` and `prediction`; for classification
        also `probability` (of the prediction) and `p(NAME)` for every class; for multi-label only
        `p(NAME)`.

    Raises:
        SettingError: The run was not found.
        DataError: An input cannot be read.

    Example:
        >>> kerasft.predict("latest", ["where is my parcel?"])[0]["prediction"]
        'delivery'
        >>> kerasft.predict("latest", frame, as_frame=True)["prediction"]
    """
    loaded = load_model(run)
    config = replace_columns(loaded.config, columns)
    examples = read_inputs(config, inputs, pairs=loaded.pairs)
    x = prepare_inputs(loaded.config, examples)
    outputs = predict_arrays(loaded.model, x, loaded.config.batch_size)
    pairs = zip(examples.inputs, examples.origins, strict=True)
    names = [_input_name(item, origin) for item, origin in pairs]
    rows = [
        {"input": name, **loaded.labels.kind.row(loaded.labels, output)}
        for name, output in zip(names, outputs, strict=True)
    ]
    if not as_frame:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, index=inputs.index if is_frame(inputs) else None)


def _input_name(item: Any, origin: str) -> str:
    """Return the text or image path of an input, or its origin if it has neither."""
    if isinstance(item, tuple):
        return "\t".join(item)
    return str(item) if isinstance(item, (str, Path)) else origin
