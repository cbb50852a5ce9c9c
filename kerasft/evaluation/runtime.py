"""Runtimes of exported models: functions from raw inputs to answers, by the kind of export."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data import examples_of, prepare_inputs, readable
from kerasft.errors import DamagedFileError, DataError, SettingError
from kerasft.evaluation.artifact_manifest import damaged
from kerasft.evaluation.graph_file import Answer, open_graph
from kerasft.modalities import Input, Modality, modality_of
from kerasft.pip_commands import install_extra
from kerasft.tensorflow_log import without_notices

# Raw inputs of `Modality.raw_inputs` -> outputs by name, whose first dimension is theirs; `error`
# is empty for an input that can be read.
Runtime = Callable[[Sequence[tuple[Any, ...]]], dict[str, np.ndarray]]

RUNTIMES = {"onnx": "onnxruntime", "litert": "ai_edge_litert"}  # packages
PREPARED = tuple(RUNTIMES)  # kinds whose graph takes prepared inputs


def open_saved_model(folder: Path, modality: Modality, names: Sequence[str]) -> Runtime:
    """Return the runtime of a SavedModel.

    Args:
        folder: Its folder.
        modality: What the model reads.
        names: Names of its inputs.

    Raises:
        DamagedFileError: It cannot be loaded, or has other inputs.
    """
    import tensorflow as tf

    for name in modality.serving_imports:
        importlib.import_module(name)  # registers its operations
    try:
        # The model is kept: its functions do not own its variables.
        model = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as error:
        raise _not_loaded(folder, error) from error

    arguments = model.signatures["serve"].structured_input_signature[1]
    if {*names} != {*arguments}:
        raise damaged(
            folder,
            f"`inputs` is {', '.join(names)}, but the model takes {', '.join(sorted(arguments))}",
        )

    def answer(inputs: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
        function = model.signatures["serve"]
        columns = zip(names, zip(*inputs, strict=True), strict=True)
        given = {n: tf.constant(list(v), arguments[n].dtype) for n, v in columns}
        return {name: values.numpy() for name, values in function(**given).items()}

    return answer


def open_prepared(folder: Path, config: Config) -> Runtime:
    """Return the runtime of an ONNX or LiteRT graph, which takes prepared inputs.

    Args:
        folder: Its folder.
        config: Settings of the preparation.

    Raises:
        DamagedFileError: The graph cannot be loaded.
    """
    graph = load_graph(folder)

    def answer(inputs: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
        items = [each[0] if len(each) == 1 else each for each in inputs]
        x, rows, messages = _prepared(config, items)
        errors = np.full(len(items), b"", object)
        errors[np.setdiff1d(np.arange(len(items)), rows)] = np.array(messages, object)
        answers = {name: _spread(found, rows, len(items)) for name, found in graph(x).items()}
        return {**answers, "error": errors}

    return answer


def load_graph(folder: Path) -> Answer:
    """Return the function from prepared inputs to the answers of a graph; see `open_graph`.

    Raises:
        DamagedFileError: The graph cannot be loaded.
    """
    try:
        with without_notices():
            return open_graph(folder)
    except Exception as error:  # onnxruntime has errors of classes that it does not export
        raise _not_loaded(folder, error) from error


def require(package: str, extra: str) -> None:
    """Check that a package is installed.

    Args:
        package: Name of its module.
        extra: Optional dependencies of kerasft that it is one of.

    Raises:
        SettingError: It is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise SettingError(f"{package} is not installed. Install it: {install_extra(extra)}")


def _not_loaded(folder: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(
        f"{folder} cannot be loaded ({error}). Restore the folder or export again."
    )


def _prepared(config: Config, items: list[Any]) -> tuple[Any, list[int], list[bytes]]:
    """Return the arrays of the inputs that can be prepared, their rows, and the other's messages.

    There is at least one row: a sample replaces the inputs if none can be prepared.
    """
    inputs = [Input(item, "The input", row=row) for row, item in enumerate(items)]
    try:
        return prepare_inputs(config, examples_of(inputs)), list(range(len(items))), []
    except DataError:
        errors: list[DataError] = []
        good = readable(config, inputs, errors.append)
    sample = modality_of(config).example(config, pairs=isinstance(items[0], tuple))
    x = prepare_inputs(config, examples_of(good or [Input(sample, "The sample")]))
    return x, [item.row for item in good], [str(error).encode("utf-8") for error in errors]


def _spread(values: np.ndarray, rows: list[int], count: int) -> np.ndarray:
    """Return outputs with empty rows for other inputs: NaN, -1, false or an empty text."""
    if len(rows) == count:
        return values
    empty: Any = {"f": np.nan, "b": False, "O": b""}.get(values.dtype.kind, -1)
    found = np.full((count, *values.shape[1:]), empty, values.dtype)
    found[rows] = values[: len(rows)]
    return found
