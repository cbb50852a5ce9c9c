"""Answer a request by an exported model in a process that has TensorFlow alone.

It is run by its path: `python -I fresh_process.py FOLDER REQUEST [MODULE...]`. Nothing
of kerasft, Keras or KerasHub can be imported in it. The modules are imported first, such as
`tensorflow_text`, which brings its own Keras. The answers are the last line on standard output.
"""

import base64
import importlib
import json
import platform
import sys
import time
from typing import Any


def main(folder: str, request: str, modules: list[str]) -> None:
    """Print the answers of the model in a folder, as JSON.

    Args:
        folder: Folder of the SavedModel.
        request: JSON file of `kerasft.serving.examples.proof_request`.
        modules: Modules that register operations.
    """
    for name in ("kerasft", "keras_hub", *(() if modules else ("keras",))):
        sys.modules[name] = None  # type: ignore[assignment]
    began = time.monotonic()
    import tensorflow as tf

    for name in modules:
        importlib.import_module(name)
    with open(request, encoding="utf-8") as file:
        given = json.load(file)
    found = tf.saved_model.load(folder).signatures
    few, first = len(given["first"]["outputs"]), given["first"]
    raw = {name: [_value(value) for value in values] for name, values in given["inputs"].items()}
    raw_first = {name: values[:few] for name, values in raw.items()}
    prepared = {name: _array(value) for name, value in first["preprocessed"].items()}
    answers = {
        "serve": _answers(found["serving_default"], raw),
        "strict": _answers(found["strict"], raw_first),
        "preprocessed": _answers(found["preprocessed"], prepared),
        "outputs": _answers(found["outputs"], raw_first)["outputs"],
    }
    for name in {"features", "embedding"} & {*first}:
        read = {each: raw_first[each] for each in found[name].structured_input_signature[1]}
        answers[name] = _answers(found[name], read)[name]
    about = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps({**answers, "about": about}))


def _answers(signature: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a signature for inputs by name."""
    import tensorflow as tf

    specs = signature.structured_input_signature[1]
    tensors = {n: tf.cast(tf.constant(value), specs[n].dtype) for n, value in inputs.items()}
    return {name: _plain(value.numpy().tolist()) for name, value in signature(**tensors).items()}


def _array(value: dict[str, Any]) -> Any:
    """Return an array of prepared inputs."""
    import numpy as np

    content = base64.b64decode(value["b64"])
    return np.frombuffer(content, value["dtype"]).reshape(value["shape"])


def _value(value: object) -> object:
    """Return an input of a request; bytes are given in base64, as for TensorFlow Serving."""
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
