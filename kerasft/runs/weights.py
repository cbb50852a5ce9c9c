"""Trained weights in a safetensors file, verified by its checksum."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from kerasft.atomic_files import atomic_path
from kerasft.errors import DamagedFileError
from kerasft.runs.files import sha256
from kerasft.runs.run import WEIGHTS, Run
from kerasft.runs.write import write_manifest


def weight_names(variables: Sequence[Any]) -> list[str]:
    """Return a name for each variable: its position and its Keras name.

    Positions distinguish variables of the same name. Counters that Keras appends to automatic names
    (`variable_12`) differ between processes and are removed.
    """
    return [_plain(f"{index:04d}.{variable.name}") for index, variable in enumerate(variables)]


def _plain(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def write_tensors(
    path: Path, values: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file atomically.

    Raises:
        ResourceError: The disk is full.
    """
    with atomic_path(path) as temporary:
        _save_file(temporary, values, metadata)


def _save_file(
    path: Path, values: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file; errors of the operating system are raised as OSError."""
    try:
        save_file(dict(values), path, metadata=metadata)
    except SafetensorError as error:
        # The error of the operating system is only part of its text.
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error


def save_weights(
    run: Run, variables: Sequence[Any], values: Sequence[np.ndarray], **facts: Any
) -> None:
    """Write values of variables into the run, atomically, with their checksum.

    Meanwhile, and after an interruption, the run has no weights.

    Args:
        run: Run to write to.
        variables: Variables, which give the names.
        values: Value of each.
        **facts: Entries of the manifest about these weights.
    """
    names, files = weight_names(variables), dict(run.manifest.get("files", {}))
    arrays = {name: np.asarray(value, order="C") for name, value in zip(names, values, strict=True)}
    with atomic_path(run.path / WEIGHTS) as temporary:
        _save_file(temporary, arrays)
        checksum = sha256(temporary)
        if files.pop(WEIGHTS, None) is not None:  # it does not fit the new file
            write_manifest(run, files=files)
    write_manifest(run, files={**files, WEIGHTS: checksum}, **facts)


def restore_weights(run: Run, variables: Sequence[Any]) -> None:
    """Set `variables` to the saved values of the same variables of the same model.

    Raises:
        DamagedFileError: The file is missing, damaged, or of another model.
    """
    path = run.weights
    try:
        values = load_file(path)
    except SafetensorError as error:
        raise DamagedFileError(f"{path} is damaged: {error}.") from error
    values = {_plain(name): value for name, value in values.items()}
    names = weight_names(variables)
    shapes = {name: tuple(v.shape) for name, v in zip(names, variables, strict=True)}
    if shapes != {name: value.shape for name, value in values.items()}:
        raise DamagedFileError(
            f"{path} has the weights of another model: build_model of the recipe has changed "
            "since the fit. Restore the recipe of that time."
        )
    for name, variable in zip(names, variables, strict=True):
        variable.assign(values[name])
