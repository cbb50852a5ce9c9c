"""Bodies of TensorFlow Serving's REST protocol: requests to arrays, arrays to answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from kerasft.serving.server.saved_model import (
    DEFAULT_SIGNATURE,
    Arrays,
    ServedSavedModel,
    Signature,
)
from kerasft.serving.server.values import is_bytes, json_name, nested_array, plain


def find_signature(model: ServedSavedModel, name: Any = DEFAULT_SIGNATURE) -> Signature:
    """Return the signature of a model that a request names.

    Raises:
        HTTPException: There is no such signature.
    """
    if not isinstance(name, str):
        raise HTTPException(400, f"'signature_name' is {json_name(name)}, expected a string.")
    found = model.signatures.get(name or DEFAULT_SIGNATURE)
    if found is None:
        known = ", ".join(sorted(model.signatures))
        raise HTTPException(400, f"Signature {name[:80]!r} not found. The model has: {known}.")
    return found


def read_predict(body: dict[str, Any], model: ServedSavedModel) -> tuple[Signature, Arrays, bool]:
    """Return signature and inputs of a `:predict` request, and whether it is in row format.

    Raises:
        HTTPException: The body does not follow the protocol, or its inputs do not fit.
    """
    signature = find_signature(model, body.get("signature_name", DEFAULT_SIGNATURE))
    given = {"instances", "inputs"} & set(body)
    if len(given) != 1:
        found = "both" if given else "neither"
        raise HTTPException(400, f"Expected one of 'instances' and 'inputs', received {found}.")
    if "instances" in body:
        return signature, _rows(body["instances"], signature), True
    return signature, _columns(body["inputs"], signature), False


def _rows(instances: Any, signature: Signature) -> Arrays:
    if not isinstance(instances, list) or not instances:
        found = "an empty list" if instances == [] else json_name(instances)
        raise HTTPException(400, f"'instances' is {found}, expected a list of inputs.")
    names = list(signature.inputs)
    if not _is_named(instances[0]):
        if len(names) != 1:
            raise HTTPException(
                400,
                f"An instance must be an object with the inputs {', '.join(names) or '(none)'}.",
            )
        if any(map(_is_named, instances)):
            raise HTTPException(400, "Either all instances are objects or none is.")
        return {names[0]: nested_array(instances, signature.inputs[names[0]])}
    for index, item in enumerate(instances):
        if not isinstance(item, dict) or set(item) != set(names):
            found = _names(item) if isinstance(item, dict) else json_name(item)
            raise HTTPException(
                400, f"Instance {index} has {found or 'no inputs'}, expected {', '.join(names)}."
            )
    return {
        name: nested_array([item[name] for item in instances], spec)
        for name, spec in signature.inputs.items()
    }


def _columns(inputs: Any, signature: Signature) -> Arrays:
    names = list(signature.inputs)
    if not _is_named(inputs):
        if len(names) != 1:
            raise HTTPException(
                400, f"'inputs' must be an object with the inputs {', '.join(names) or '(none)'}."
            )
        return {names[0]: nested_array(inputs, signature.inputs[names[0]])}
    if set(inputs) != set(names):
        found = _names(inputs) or "no inputs"
        raise HTTPException(400, f"'inputs' has {found}, expected {', '.join(names)}.")
    return {name: nested_array(inputs[name], spec) for name, spec in signature.inputs.items()}


def _names(value: dict[str, Any]) -> str:
    return ", ".join(map(repr, sorted(value)))[:80]


def _is_named(value: Any) -> bool:
    """Return whether a value is an object of inputs by name, and not one of base64."""
    base64 = isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)
    return isinstance(value, dict) and not base64


def predictions(outputs: Arrays, *, rows: bool) -> dict[str, Any]:
    """Return the answer to a `:predict` request.

    Args:
        outputs: Outputs of the model.
        rows: Whether the request was in row format.

    Raises:
        HTTPException: The outputs of a request in row format differ in their first dimension.
    """
    values = {name: plain(array, binary=is_bytes(name)) for name, array in outputs.items()}
    if not rows:
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    if len({array.shape[:1] for array in outputs.values()}) > 1 or _scalar(outputs):
        raise HTTPException(
            400, "The outputs differ in their first dimension. Send 'inputs' and not 'instances'."
        )
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    columns = zip(*values.values(), strict=True)
    return {"predictions": [dict(zip(values, row, strict=True)) for row in columns]}


def _scalar(outputs: Arrays) -> bool:
    return any(np.ndim(array) == 0 for array in outputs.values())


def metadata(name: str, version: int, model: ServedSavedModel) -> dict[str, Any]:
    """Return the answer to a `metadata` request."""
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": model.definitions}},
    }


def status(version: int, state: str, error: str) -> dict[str, Any]:
    """Return the state of a version in the answer to a status request.

    Args:
        version: Number of the version.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: Why it could not be loaded, or an empty string.
    """
    code = "UNKNOWN" if error else "OK"
    message = {"error_code": code, "error_message": error}
    return {"version": str(version), "state": state, "status": message}
