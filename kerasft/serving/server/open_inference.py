"""Bodies of the Open Inference Protocol v2: requests to arrays, arrays to answers."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import numpy as np
import tensorflow as tf
from starlette.exceptions import HTTPException

from kerasft.serving.server.saved_model import Arrays, Signature, TensorSpec
from kerasft.serving.server.values import decode_base64, is_bytes, json_name, plain, typed_array

_DATATYPES = {
    tf.bool: "BOOL",
    tf.uint8: "UINT8",
    tf.uint16: "UINT16",
    tf.uint32: "UINT32",
    tf.uint64: "UINT64",
    tf.int8: "INT8",
    tf.int16: "INT16",
    tf.int32: "INT32",
    tf.int64: "INT64",
    tf.float16: "FP16",
    tf.float32: "FP32",
    tf.float64: "FP64",
    tf.string: "BYTES",
}
_BASE64 = {"content_type": "base64"}  # the convention of MLServer


def describe(specs: dict[str, TensorSpec]) -> list[dict[str, Any]]:
    """Return the inputs or outputs of a signature in the metadata of a model."""
    return [
        {
            "name": name,
            "datatype": _datatype(spec),
            "shape": [-1 if axis is None else axis for axis in spec.shape or (None,)],
        }
        for name, spec in specs.items()
    ]


def _datatype(spec: TensorSpec) -> str:
    return _DATATYPES.get(spec.dtype) or str(spec.dtype.name).upper()


def read_infer(body: dict[str, Any], signature: Signature) -> tuple[Arrays, list[str]]:
    """Return the inputs of an inference request, and the names of the outputs that it asks for.

    Raises:
        HTTPException: The body does not follow the protocol, or its inputs do not fit.
    """
    if not isinstance(body.get("id", ""), str):
        raise HTTPException(400, f"'id' is {json_name(body['id'])}, expected a string.")
    given = _named(body.get("inputs"), "inputs")
    if set(given) != set(signature.inputs):
        found = ", ".join(map(repr, sorted(given)))[:80] or "no inputs"
        raise HTTPException(400, f"Received {found}, expected {', '.join(signature.inputs)}.")
    wanted = list(_named(body["outputs"], "outputs")) if "outputs" in body else []
    unknown = sorted(set(wanted) - set(signature.outputs))
    if unknown:
        known = ", ".join(signature.outputs)
        raise HTTPException(400, f"Output {unknown[0][:80]!r} not found. The model has: {known}.")
    inputs = {name: _tensor(given[name], spec) for name, spec in signature.inputs.items()}
    return inputs, wanted or list(signature.outputs)


def _named(items: Any, key: str) -> dict[str, dict[str, Any]]:
    """Return tensors by their names."""
    if not isinstance(items, list):
        raise HTTPException(400, f"'{key}' is {json_name(items)}, expected a list of tensors.")
    found: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(name, str):
            raise HTTPException(400, f"Item {index} of '{key}' is no object with a 'name'.")
        if name in found:
            raise HTTPException(400, f"'{key}' has {name[:80]!r} twice.")
        found[name] = item
    return found


def _tensor(item: dict[str, Any], spec: TensorSpec) -> np.ndarray:
    if item.get("datatype") != _datatype(spec):
        found = repr(item.get("datatype"))[:20]
        raise HTTPException(
            400, f"Input '{spec.name}' has datatype {found}, expected '{_datatype(spec)}'."
        )
    shape = item.get("shape")
    if not isinstance(shape, list) or not all(type(axis) is int and axis >= 0 for axis in shape):
        raise HTTPException(400, f"The shape of input '{spec.name}' is no list of whole numbers.")
    if not isinstance(item.get("data"), list):
        found = json_name(item.get("data"))
        raise HTTPException(400, f"The data of input '{spec.name}' is {found}, expected a list.")
    data = item["data"]
    while data and isinstance(data[0], list):
        if not all(isinstance(part, list) for part in data):
            raise HTTPException(400, f"The data of input '{spec.name}' is not rectangular.")
        data = list(itertools.chain.from_iterable(data))
    values = typed_array(data, tuple(shape), spec)
    parameters = item.get("parameters", {})
    if spec.dtype == tf.string and isinstance(parameters, dict):
        return _decoded(values, spec.name) if parameters.items() >= _BASE64.items() else values
    return values


def _decoded(values: np.ndarray, name: str) -> np.ndarray:
    found = np.empty(values.size, object)
    found[:] = [
        decode_base64(value.decode(errors="replace"), index, name)
        for index, value in enumerate(values.ravel())
    ]
    return found.reshape(values.shape)


def answer(body: dict[str, Any], outputs: Arrays, signature: Signature) -> dict[str, Any]:
    """Return the answer to an inference request, without the name of the model.

    Args:
        body: Request.
        outputs: The outputs that it asks for.
        signature: Signature that was called.
    """
    identifier = {"id": body["id"]} if "id" in body else {}
    tensors = [_output(name, array, signature.outputs[name]) for name, array in outputs.items()]
    return {**identifier, "outputs": tensors}


def _output(name: str, array: np.ndarray, spec: TensorSpec) -> dict[str, Any]:
    described = {"name": name, "datatype": _datatype(spec), "shape": list(array.shape)}
    flat = array.ravel()
    if array.dtype != object:
        return {**described, "data": _finite(plain(flat, binary=False), flat)}
    texts = plain(flat, binary=is_bytes(name))
    if not any(isinstance(text, dict) for text in texts):
        return {**described, "data": texts}
    data = [base64.b64encode(value).decode() for value in flat]
    return {**described, "parameters": _BASE64, "data": data}


def _finite(values: list[Any], array: np.ndarray) -> list[Any]:
    """Replace NaN and infinity by null: the protocol's JSON has no words for them."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return values
    return [value if np.isfinite(value) else None for value in values]
