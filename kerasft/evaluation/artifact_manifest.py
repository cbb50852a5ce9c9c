"""The manifest of an exported model, checked against its declared shape when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError, SettingError
from kerasft.modalities import MODALITIES
from kerasft.runs import read_json
from kerasft.runs.json_shape import shape_problem
from kerasft.tasks import TASKS, Labels

MANIFEST = "manifest.json"
KINDS = ("saved_model", "onnx", "litert", "huggingface")

_CALIBRATION = {
    "temperature?": float,
    "slopes?": [float],
    "offsets?": [float],
    "thresholds?": [float],
    "rejection?": (float, None),
    "sets?": (
        {"coverage": float, "kind": str, "limit": float, "penalty?": float, "free_ranks?": int},
        None,
    ),
    "interval?": ({"coverage": float, "margin": float, "logarithm?": bool}, None),
    "known?": ({"coverage": float, "threshold": float}, None),
}
# What is read of a manifest, as `shape_problem` takes it.
_SHAPE = {
    "kind": frozenset(KINDS),
    "recipe": str,
    "run": str,
    "modality": frozenset(MODALITIES),
    "inputs": [str],
    "pairs": bool,
    "labels": {
        "task": frozenset(TASKS),
        "names": [str],
        "mean?": float,
        "std?": float,
        "transform?": str,
        "scale?": ([int], None),
        "unit?": str,
        "*": object,
    },
    "calibration": _CALIBRATION,
    "settings": {"*": object},
    "proof": {"test": str, "tolerance": (float, None), "*": object},
    "files": {"*": {"sha256": str, "bytes": int}},
    "*": object,
}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an exported model.

    Args:
        folder: Folder of the version.

    Raises:
        SettingError: The export was made by version 0.1 of kerasft.
        DamagedFileError: The file is no manifest; the message names the field.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise SettingError(
            f"{folder} has no {MANIFEST}, but an export by version 0.2 or later is expected. "
            "Export the run again."
        )
    found = read_json(path)
    problem = shape_problem(found, _SHAPE)
    if not problem:
        labels = Labels.from_dict(found["labels"])
        problem = labels.kind.labels_problem(labels)
    if problem:
        raise damaged(folder, problem)
    return found


def damaged(folder: Path, problem: str) -> DamagedFileError:
    """Return the error of a manifest that has a problem, such as "`run` is missing"."""
    return DamagedFileError(
        f"{folder / MANIFEST} is damaged: {problem}. Restore the folder or export again."
    )
