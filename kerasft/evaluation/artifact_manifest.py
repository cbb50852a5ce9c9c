"""The manifest of an exported model, checked against its declared shape when it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError, SettingError
from kerasft.modalities import MODALITIES
from kerasft.runs import read_json
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
# What is read of a manifest: a type; a list of such items; an object by names, of which those with
# ? may be missing and * is any other; one of several in parentheses; one text of a set.
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
_WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


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
    problem = _problem(found, _SHAPE, "") or _labels_problem(Labels.from_dict(found["labels"]))
    if problem:
        raise damaged(folder, problem)
    return found


def damaged(folder: Path, problem: str) -> DamagedFileError:
    """Return the error of a manifest that has a problem, such as "`run` is missing"."""
    return DamagedFileError(
        f"{folder / MANIFEST} is damaged: {problem}. Restore the folder or export again."
    )


def _labels_problem(labels: Labels) -> str:
    """Return what the labels lack that their task needs, or an empty string."""
    if labels.kind.has_classes and not labels.names:
        return "`labels.names` is empty, but the task has classes"
    if labels.task == "ordinal" and (labels.scale is None or len(labels.scale) != 2):
        return "`labels.scale` has no lowest and highest class"
    return ""


def _problem(value: Any, shape: Any, at: str) -> str:
    """Return in which field a value differs from a shape, and how; empty where it does not."""
    if isinstance(shape, tuple):
        problems = [_problem(value, each, at) for each in shape]
        return "" if "" in problems else problems[0]
    check = _CHECKS.get(type(shape), _scalar_problem)
    return check(value, shape, at)


def _object_problem(value: Any, shape: dict[str, Any], at: str) -> str:
    if not isinstance(value, dict):
        return _other(value, "an object", at)
    fields = {name.rstrip("?"): each for name, each in shape.items()}
    for name in shape:
        if name not in value and name[-1] not in "?*":
            return f"`{_path(at, name)}` is missing"
    for name, item in value.items():
        if name not in fields and "*" not in fields:
            return f"`{_path(at, name)}` is unknown"
        problem = _problem(item, fields.get(name, fields.get("*")), _path(at, name))
        if problem:
            return problem
    return ""


def _list_problem(value: Any, shape: list[Any], at: str) -> str:
    if not isinstance(value, list):
        return _other(value, "a list", at)
    problems = (_problem(item, shape[0], f"{at}[{n}]") for n, item in enumerate(value))
    return next(filter(None, problems), "")


def _choice_problem(value: Any, shape: frozenset[str], at: str) -> str:
    known = isinstance(value, str) and value in shape
    return "" if known else _other(value, f"one of {', '.join(sorted(shape))}", at)


def _scalar_problem(value: Any, shape: Any, at: str) -> str:
    kinds: Any = {float: (int, float), None: type(None)}.get(shape, shape)
    # True is an int in Python.
    good = isinstance(value, kinds) and (shape in (bool, object) or not isinstance(value, bool))
    return "" if good else _other(value, _WORDS.get(shape, "null"), at)


_CHECKS: dict[type, Callable[[Any, Any, str], str]] = {
    dict: _object_problem,
    list: _list_problem,
    frozenset: _choice_problem,
}


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _other(value: Any, expected: str, at: str) -> str:
    return f"`{at}` is {value!r:.60}, but {expected} is expected"
