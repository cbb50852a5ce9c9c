"""Runtimes of exported models: functions from raw inputs to answers, by the kind of export."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import DamagedFileError, DataError, SettingError
from kerasft.evaluation.graph_file import open_graph
from kerasft.modalities import Modality, modality_of
from kerasft.pip_commands import install_extra

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
        DamagedFileError: It cannot be loaded.
    """
    import tensorflow as tf

    for name in modality.serving_imports:
        importlib.import_module(name)  # registers its operations
    try:
        # The model is kept: its functions do not own its variables.
        model = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as error:
        raise _damaged(folder, error) from error

    def answer(inputs: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
        function = model.signatures["serve"]
        arguments = function.structured_input_signature[1]
        columns = zip(names, zip(*inputs, strict=True), strict=True)
        given = {n: tf.constant(list(v), arguments[n].dtype) for n, v in columns}
        return {name: values.numpy() for name, values in function(**given).items()}

    return answer


def open_prepared(folder: Path, kind: str, config: Config, names: Sequence[str]) -> Runtime:
    """Return the runtime of an ONNX or LiteRT graph, which takes prepared inputs.

    Args:
        folder: Its folder.
        kind: `onnx` or `litert`.
        config: Settings of the preparation.
        names: Names of the inputs of the graph.

    Raises:
        SettingError: The package of the runtime is not installed.
        DamagedFileError: The graph cannot be loaded.
    """
    require(RUNTIMES[kind], kind)
    try:
        graph = open_graph(folder)
    except Exception as error:  # onnxruntime has errors of classes that it does not export
        raise _damaged(folder, error) from error

    def answer(inputs: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
        x, errors = _prepared(config, [each[0] if len(each) == 1 else each for each in inputs])
        good = [n for n, text in enumerate(errors) if not text]
        found = graph(x if isinstance(x, dict) else {names[0]: x})
        answers = {name: _spread(values, good, len(errors)) for name, values in found.items()}
        return {**answers, "error": np.array([text.encode("utf-8") for text in errors], object)}

    return answer


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


def _damaged(folder: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(
        f"{folder} cannot be loaded ({error}). Restore the folder or export again."
    )


def _prepared(config: Config, items: list[Any]) -> tuple[Any, list[str]]:
    """Return the arrays of the inputs that can be prepared, and a message for each other one.

    There is at least one row: a sample replaces the inputs if none can be prepared.
    """
    origins = ["The input"] * len(items)
    try:
        return prepare_inputs(config, Examples(items, None, origins)), [""] * len(items)
    except DataError:
        errors = [_error(config, item) for item in items]
    good = [item for item, text in zip(items, errors, strict=True) if not text]
    sample = modality_of(config).example(config, pairs=isinstance(items[0], tuple))
    given = good or [sample]
    return prepare_inputs(config, Examples(given, None, origins[: len(given)])), errors


def _error(config: Config, item: Any) -> str:
    try:
        prepare_inputs(config, Examples([item], None, ["The input"]))
    except DataError as error:
        return str(error)
    return ""


def _spread(values: np.ndarray, rows: list[int], count: int) -> np.ndarray:
    """Return outputs with empty rows for other inputs: NaN, -1, false or an empty text."""
    if len(rows) == count:
        return values
    empty: Any = {"f": np.nan, "b": False, "O": b""}.get(values.dtype.kind, -1)
    found = np.full((count, *values.shape[1:]), empty, values.dtype)
    found[rows] = values[: len(rows)]
    return found
