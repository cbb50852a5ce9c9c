"""The manifest of a run, checked against its declared shape when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError
from kerasft.runs.files import read_json
from kerasft.runs.json_shape import shape_problem

_ANY = {"*": object}
# What is read of a manifest, as `shape_problem` takes it.
_SHAPE = {
    "recipe?": {"name": str, "source?": (str, None), "sha256?": (str, None), **_ANY},
    "state?": str,
    "created?": str,
    "versions?": _ANY,
    "modality?": str,
    "data?": _ANY,
    "given?": _ANY,
    "usual?": _ANY,
    "weights?": {"stored": str, "fingerprint": (str, None), **_ANY},  # none without a preset
    "blocks?": [{"name": str, **_ANY}],
    "files?": {"*": str},
    "speed?": _ANY,
    "seconds?": float,
    **_ANY,
}


def read_manifest(path: Path, *needed: str) -> dict[str, Any]:
    """Return the manifest of a run.

    Args:
        path: Path of the file.
        *needed: Names that it must have.

    Raises:
        DamagedFileError: The file is no manifest; the message names the field.
    """
    found = read_json(path, *needed)
    if problem := shape_problem(found, _SHAPE):
        raise DamagedFileError(f"{path} is damaged: {problem}.")
    return found
