"""A SavedModel in memory: its signatures, and calls with NumPy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 (its operations)
from google.protobuf import json_format
from starlette.exceptions import HTTPException
from tensorflow.core.protobuf import saved_model_pb2

DEFAULT_SIGNATURE = "serving_default"
Arrays = dict[str, np.ndarray]
# Errors of TensorFlow that depend on the inputs: damaged or unsupported content, a missing key.
_REFUSALS = (
    tf.errors.InvalidArgumentError,
    tf.errors.OutOfRangeError,
    tf.errors.DataLossError,
    tf.errors.NotFoundError,
    tf.errors.UnimplementedError,
)
_TRACE = re.compile(r"\[\[\{\{.*|\[Op:.*|\{\{function_node.*?\}\}")


@dataclass(frozen=True)
class TensorSpec:
    """Name, type and shape of an input or output; the shape is None if its rank is unknown."""

    name: str
    dtype: tf.DType
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel.

    Attributes:
        name: Its name.
        function: Function from tensors by name to tensors by name.
        inputs: Inputs by name.
        outputs: Outputs by name.
    """

    name: str
    function: Callable[..., Mapping[str, tf.Tensor]]
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]

    @property
    def batched(self) -> bool:
        """Whether the first dimension of every tensor is that of the batch."""
        inputs = self.inputs and all(
            spec.shape and spec.shape[0] is None for spec in self.inputs.values()
        )
        return bool(inputs) and all(
            spec.shape is None or (spec.shape and spec.shape[0] is None)
            for spec in self.outputs.values()
        )

    @property
    def numbers_items(self) -> bool:
        """Whether the outputs mark bad items by `error`, and count them by `index`."""
        return {"error", "index"} <= set(self.outputs)


class ServedSavedModel:
    """A SavedModel that answers calls.

    Args:
        folder: Folder of one version.

    Attributes:
        signatures: Its functions by name.
        definitions: Their description in the metadata of TensorFlow Serving, as JSON.
    """

    def __init__(self, folder: Path) -> None:
        self._model = tf.saved_model.load(str(folder))
        self.signatures = {
            name: _signature(name, function) for name, function in self._model.signatures.items()
        }
        self.definitions = _definitions(folder)

    def call(self, signature: Signature, inputs: Arrays) -> Arrays:
        """Return the outputs for some inputs.

        Raises:
            HTTPException: The model refuses the inputs.
        """
        tensors = {
            name: tf.constant(inputs[name], spec.dtype) for name, spec in signature.inputs.items()
        }
        try:
            outputs = signature.function(**tensors)
            return {name: tensor.numpy() for name, tensor in outputs.items()}
        except _REFUSALS as error:
            raise HTTPException(400, sentence(error)) from error

    def warm_up(self, sizes: tuple[int, ...]) -> None:
        """Call the default signature on made-up inputs, so that the first request is not slow.

        A model may refuse them.
        """
        signature = self.signatures.get(DEFAULT_SIGNATURE)
        if signature is None or not signature.batched:
            return
        for size in sizes:
            inputs = {name: _example(spec, size) for name, spec in signature.inputs.items()}
            try:
                self.call(signature, inputs)
            except HTTPException:
                return


def sentence(error: tf.errors.OpError) -> str:
    """Return the message of an error of TensorFlow in one sentence, without graph nodes.

    The reason is the last line of `Graph execution error: Detected at node ...`.
    """
    lines = [_TRACE.sub("", line).strip() for line in error.message.splitlines()]
    found = [line for line in lines if line]
    return f"The model refused the input: {found[-1].rstrip('.') if found else 'no reason given'}."


def _signature(name: str, function: Any) -> Signature:
    outputs = function.structured_outputs
    return Signature(
        name,
        function,
        {key: _spec(key, spec) for key, spec in function.structured_input_signature[1].items()},
        {key: _spec(key, spec) for key, spec in outputs.items()},
    )


def _spec(name: str, spec: Any) -> TensorSpec:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return TensorSpec(name, spec.dtype, shape)


def _definitions(folder: Path) -> dict[str, Any]:
    stored = saved_model_pb2.SavedModel()
    stored.ParseFromString((folder / "saved_model.pb").read_bytes())
    return {
        name: json_format.MessageToDict(
            definition,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for name, definition in stored.meta_graphs[0].signature_def.items()
    }


def _example(spec: TensorSpec, size: int) -> np.ndarray:
    """Return an input of a batch: texts, images of a white pixel, or zeros."""
    shape = (size, *(axis or 1 for axis in (spec.shape or ())[1:]))
    if spec.dtype != tf.string:
        return np.zeros(shape, spec.dtype.as_numpy_dtype)
    return np.full(shape, _PIXEL if spec.name == "bytes" else b"warm up", object)


# A GIF of one white pixel.
_PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x00\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
