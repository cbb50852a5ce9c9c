"""Predictions of a run for files, tables and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.data import Batches, Labels, prepare_inputs, read_inputs, stream
from kerasft.evaluation.load import load_model, with_columns
from kerasft.runs import Run


def predict_arrays(
    model: keras.Model, x: Any, batch_size: int = 32, *, lengths: np.ndarray | None = None
) -> np.ndarray:
    """Return the model's outputs for prepared inputs, shape (n, outputs).

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


def predict(
    run: Run | str | Path, inputs: Sequence[str], *, columns: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Predict files, folders, tables or texts with a run.

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
    loaded = with_columns(load_model(run), columns)
    examples = read_inputs(loaded.config, inputs, pairs=loaded.pairs)
    x = prepare_inputs(loaded.config, examples)
    outputs = predict_arrays(loaded.model, x, loaded.config.batch_size)
    pairs = zip(examples.inputs, examples.origins, strict=True)
    names = [_input_name(item, origin) for item, origin in pairs]
    return [_row(loaded.labels, name, row) for name, row in zip(names, outputs, strict=True)]


def _input_name(item: Any, origin: str) -> str:
    """Return a text as it is and an image by its path; else where the input came from."""
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
