"""JSON values to arrays of a type, and back."""

from __future__ import annotations

import base64
import binascii
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from starlette.exceptions import HTTPException

from kerasft.serving.server.saved_model import TensorSpec

_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def json_name(value: Any) -> str:
    """Return the type of a JSON value in words."""
    return _JSON_NAMES[type(value)]


def nested_array(value: Any, spec: TensorSpec) -> np.ndarray:
    """Return the array of a tensor that is written as nested lists.

    Args:
        value: JSON value.
        spec: Input that it is for.

    Raises:
        HTTPException: The lists differ in length, a value has another type, or the shape does not
            fit.
    """
    leaves, shape = _flatten(value, spec.name)
    return typed_array(leaves, shape, spec)


def _flatten(value: Any, name: str) -> tuple[list[Any], tuple[int, ...]]:
    """Return the values in nested lists, and the lengths of the lists."""
    level: list[Any] = [value]
    shape: list[int] = []
    while level and isinstance(level[0], list):
        length = len(level[0])
        for index, item in enumerate(level):
            if not isinstance(item, list) or len(item) != length:
                found = f"{len(item)} values" if isinstance(item, list) else json_name(item)
                raise HTTPException(
                    400,
                    f"Input '{name}' is not rectangular: item {index} at depth {len(shape) + 1} "
                    f"is {found}, expected a list of {length}.",
                )
        shape.append(length)
        level = list(itertools.chain.from_iterable(level))
    return level, tuple(shape)


def typed_array(leaves: Sequence[Any], shape: tuple[int, ...], spec: TensorSpec) -> np.ndarray:
    """Return the array of JSON values in row-major order.

    Args:
        leaves: JSON values.
        shape: Shape of the array.
        spec: Input that it is for.

    Raises:
        HTTPException: A value has another type, or the shape does not fit.
    """
    _check_shape(shape, spec)
    if spec.dtype == tf.string:
        values = np.empty(len(leaves), object)
        values[:] = [_string(leaf, index, spec.name) for index, leaf in enumerate(leaves)]
    else:
        values = _numbers(leaves, spec)
    if values.size != math.prod(shape):
        raise HTTPException(
            400,
            f"Input '{spec.name}' has {values.size} values, but its shape {list(shape)} needs "
            f"{math.prod(shape)}.",
        )
    return values.reshape(shape)


def _check_shape(shape: tuple[int, ...], spec: TensorSpec) -> None:
    expected = spec.shape
    if expected is None:
        return
    fits = len(shape) == len(expected) and all(
        want in (None, got) for got, want in zip(shape, expected, strict=True)
    )
    if not fits:
        raise HTTPException(
            400,
            f"Input '{spec.name}' has shape {list(shape)}, expected "
            f"{[-1 if axis is None else axis for axis in expected]} (-1: any length).",
        )


def _string(value: Any, index: int, name: str) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise HTTPException(
                400, f"Item {index} of '{name}' is not valid Unicode (a lone surrogate)."
            ) from None
    if isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str):
        return decode_base64(value["b64"], index, name)
    raise HTTPException(
        400,
        f'Item {index} of \'{name}\' is {json_name(value)}, expected a string or {{"b64": "..."}}.',
    )


def decode_base64(text: str, index: int, name: str) -> bytes:
    """Return the bytes of a base64 text, with or without its padding.

    Raises:
        HTTPException: The text is not base64.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise HTTPException(400, f"Item {index} of '{name}' is not valid base64.") from None


def _numbers(leaves: Sequence[Any], spec: TensorSpec) -> np.ndarray:
    kind = np.dtype(spec.dtype.as_numpy_dtype)
    allowed = {bool} if kind.kind == "b" else {int} if kind.kind in "iu" else {int, float}
    wrong = set(map(type, leaves)) - allowed
    if wrong:
        index = next(i for i, leaf in enumerate(leaves) if type(leaf) in wrong)
        raise HTTPException(
            400,
            f"Item {index} of '{spec.name}' is {json_name(leaves[index])}, expected "
            f"{spec.dtype.name}.",
        )
    if allowed == {int} and leaves:
        least, most = np.iinfo(kind).min, np.iinfo(kind).max
        if min(leaves) < least or max(leaves) > most:
            raise HTTPException(
                400,
                f"A value of '{spec.name}' is not within {least} to {most} ({spec.dtype.name}).",
            )
    try:
        with np.errstate(over="ignore"):
            values = np.array(leaves, kind)
    except OverflowError:
        values = np.array([np.inf])
    if kind.kind == "f" and np.isinf(values).sum() > sum(map(_is_infinite, leaves)):
        raise HTTPException(400, f"A value of '{spec.name}' is too large for {spec.dtype.name}.")
    return values


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)


def is_bytes(name: str) -> bool:
    """Return whether a tensor of strings is binary by its name, as in TensorFlow Serving."""
    return name.endswith("_bytes")


def plain(array: np.ndarray, *, binary: bool) -> Any:
    """Return an array as nested lists of JSON values.

    Args:
        array: Array; strings are bytes.
        binary: Whether strings become `{"b64": ...}`. Other strings do so if they are not UTF-8.
    """
    if array.dtype == object:
        texts = np.empty(array.size, object)
        texts[:] = [_text(value, binary=binary) for value in array.ravel()]
        array = texts.reshape(array.shape)
    elif array.dtype == np.float32:
        array = array.astype(str).astype(np.float64)  # 0.1, not 0.10000000149011612
    elif array.dtype.kind == "V":  # bfloat16
        array = array.astype(np.float64)
    return array.tolist()


def _text(value: bytes, *, binary: bool) -> Any:
    if not binary:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode()}
