"""Answers of an exported model, loaded as a server would: with TensorFlow alone."""

import json
import sys


def answers(path, **inputs):
    """Returns each output by its name; `paths` are read as the bytes of images."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 (its operations)

    model = tf.saved_model.load(str(path))
    if "paths" in inputs:
        inputs = {"bytes": [read(path) for path in inputs["paths"]]}
    constants = {name: tf.constant(value) for name, value in inputs.items()}
    outputs = model.signatures["serving_default"](**constants)
    return {name: plain(value.numpy().tolist()) for name, value in outputs.items()}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


if __name__ == "__main__":
    print(json.dumps(answers(sys.argv[1], **json.loads(sys.argv[2]))))
