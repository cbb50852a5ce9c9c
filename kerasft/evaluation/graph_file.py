"""Answers of an ONNX or LiteRT graph, with NumPy and its runtime alone.

The proof of an export runs this file by its path in a fresh process, where nothing of kerasft,
Keras or TensorFlow can be imported: `python -I graph_file.py FOLDER ARRAYS`. So it imports nothing
of kerasft. The answers are the last line on standard output.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ONNX, LITERT, NAMES = "model.onnx", "model.tflite", "labels.txt"
_WITHOUT = ("kerasft", "keras", "keras_hub", "tensorflow", "tf2onnx")

Arrays = dict[str, Any]
Answer = Callable[[Any], Arrays]


def open_graph(folder: Path) -> Answer:
    """Return the function from prepared inputs to the answers of a graph.

    The inputs are arrays by name, or one array for a graph with one input. The answers are those
    of a SavedModel: the index of a class is replaced by its name, and `classes` has the names in
    the order of `probabilities`, as UTF-8 bytes.

    Args:
        folder: Folder with `model.onnx` or `model.tflite`, and `labels.txt` if there are classes.
    """
    run = _litert(folder / LITERT) if (folder / LITERT).is_file() else _onnx(folder / ONNX)
    path = folder / NAMES
    names = path.read_text(encoding="utf-8").rstrip("\n").split("\n") if path.is_file() else []
    classes = np.array([name.encode("utf-8") for name in names], object)

    def answer(inputs: Any) -> Arrays:
        found = run(inputs)
        if names:
            found["classes"] = np.tile(classes, (len(found["probabilities"]), 1))
            found["prediction"] = _predictions(found, classes)
        return found

    return answer


def _predictions(found: Arrays, classes: Any) -> Any:
    """Return the name of the predicted class of each example, or the names of its labels."""
    if "labels" not in found:
        return classes[found["prediction"]]
    return np.array([b"|".join(classes[row]) for row in found["labels"]], object)


def _onnx(path: Path) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    types = {each.name: _DTYPES[each.type] for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]

    def run(inputs: Any) -> Arrays:
        given = _named_inputs(inputs, types)
        return dict(zip(names, session.run(names, given), strict=True))

    return run


def _named_inputs(inputs: Any, types: Mapping[str, Any]) -> Arrays:
    """Return the inputs of a graph by name, each in its number format."""
    if not isinstance(inputs, Mapping):
        (name,) = types
        inputs = {name: inputs}
    return {name: np.asarray(inputs[name], each) for name, each in types.items()}


_DTYPES: dict[str, Any] = {
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(float)": np.float32,
}


def _litert(path: Path) -> Answer:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()  # it would write its notices at the first call otherwise
    runner = interpreter.get_signature_runner()
    types = {name: each["dtype"] for name, each in runner.get_input_details().items()}

    def run(inputs: Any) -> Arrays:
        answers = runner(**_named_inputs(inputs, types))
        return {name: np.array(value) for name, value in answers.items()}

    return run


def main(folder: str, arrays: str) -> None:
    """Print the answers of the graph in a folder, as JSON.

    Args:
        folder: Folder of the graph.
        arrays: NPZ file with the prepared inputs by name.
    """
    for name in _WITHOUT:
        sys.modules[name] = None  # type: ignore[assignment]
    began = time.monotonic()
    answer = open_graph(Path(folder))
    with np.load(arrays, allow_pickle=False) as file:
        inputs = {name: file[name] for name in file.files}
    found = {name: _plain(value.tolist()) for name, value in answer(inputs).items()}
    runtime = next(name for name in ("onnxruntime", "ai_edge_litert") if name in sys.modules)
    about = {
        "python": platform.python_version(),
        "runtime": f"{runtime} {_version(runtime)}",
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps({"outputs": found, "about": about}))


def _version(package: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(package.replace("_", "-"))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(*sys.argv[1:3])
