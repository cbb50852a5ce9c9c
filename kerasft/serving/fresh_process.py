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


def main(folder: str, request: str, modules: list[str]) -> None:
    """Print the answers of the model in a folder, as JSON.

    Args:
        folder: Folder of the SavedModel.
        request: JSON file with the inputs by name, under `inputs`.
        modules: Modules that register operations.
    """
    for name in ("kerasft", "keras_hub", *(() if modules else ("keras",))):
        sys.modules[name] = None  # type: ignore[assignment]
    began = time.monotonic()
    import tensorflow as tf

    for name in modules:
        importlib.import_module(name)
    with open(request, encoding="utf-8") as file:
        inputs = json.load(file)["inputs"]
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    specs = serve.structured_input_signature[1]
    tensors = {
        name: tf.constant([_value(value) for value in values], specs[name].dtype)
        for name, values in inputs.items()
    }
    answers = {name: _plain(found.numpy().tolist()) for name, found in serve(**tensors).items()}
    about = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps({"outputs": answers, "about": about}))


def _value(value: object) -> object:
    """Return an input of a request; bytes are given in base64, as for TensorFlow Serving."""
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
