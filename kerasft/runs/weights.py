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

from kerasft.errors import DamagedFileError
from kerasft.runs.files import atomic_path, sha256
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
        try:
            save_file(dict(values), temporary, metadata=metadata)
        except SafetensorError as error:
            # The error of the operating system is only part of its text.
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            code = int(number[1])
            raise OSError(code, os.strerror(code), str(path)) from error


def save_weights(run: Run, variables: Sequence[Any]) -> None:
    """Write the values of `variables` into the run, atomically, with their checksum."""
    names = weight_names(variables)
    values = {
        name: np.asarray(variable.numpy(), order="C")
        for name, variable in zip(names, variables, strict=True)
    }
    path = run.path / WEIGHTS
    write_tensors(path, values)
    files = {**run.manifest.get("files", {}), WEIGHTS: sha256(path)}
    write_manifest(run, files=files)


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
