"""Proof of an exported model: the answers of a fresh process to real examples are Python's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.data import Labels
from kerasft.display import status
from kerasft.errors import ProofError, first_line
from kerasft.serving import fresh_process

FILE = "proof.json"
EXACT = 1e-5  # largest difference in float32
MARGIN = 0.01  # of the mean difference in other number formats
_SECONDS = 600  # for a fresh process, which takes 10 to 60
_SHARE = 0.25  # of the decisions of one kind that may differ there: those near a threshold
_ROUGH = 0.1  # relative difference of all outputs or features there
_AGAIN = "Export the run again, and report it as a bug if that fails too."
_NUMBERS = ("prediction", "lower", "upper")
# Of `known_score`: it divides cosines, which float32 rounds to 1e-7, by a spread of 1e-3 or more.
_KNOWN_UNIT = 100.0


def request_of(names: Sequence[str], inputs: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return raw inputs as those of a REST request to TensorFlow Serving, by name.

    Args:
        names: Names of the arguments of the signature.
        inputs: One tuple per example, with a value for each name.
    """
    columns = zip(names, zip(*inputs, strict=True), strict=True)
    return {name: [_encoded(value) for value in values] for name, values in columns}


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value


def prove(
    folder: Path,
    labels: Labels,
    modules: Sequence[str],
    *,
    exact: bool,
    origins: Sequence[str] = (),
) -> dict[str, Any]:
    """Compare the answers of a fresh process with those in `proof.json` of an exported model.

    In float32 no number may differ by more than 1e-5: absolutely, or relatively where it is above
    1 or a prediction in a unit. `known_score` may differ by 1e-3. All else is equal. In other
    number formats the two are equivalent if the upper 95% confidence limit of the mean difference
    is at most 0.01, and at most a quarter of the decisions of each kind differ, or one. The other
    signatures answer the first examples.

    Args:
        folder: Folder of the SavedModel and `proof.json`.
        labels: Labels of the run.
        modules: Modules that the process must import.
        exact: Whether the model computes in float32.
        origins: Names of the examples in messages; by default their numbers, from 1.

    Returns:
        The record of the proof.

    Raises:
        ProofError: The model cannot be loaded, or its answers differ.
    """
    status("proving the export in a fresh process")
    request = json.loads((folder / FILE).read_text(encoding="utf-8"))
    answered = answer_alone(fresh_process.__file__, folder, str(folder / FILE), *modules)
    record = compare(labels, request["answers"], answered["serve"], exact=exact, origins=origins)
    first = request["first"]
    few = len(first["outputs"])
    expected = {name: values[:few] for name, values in request["answers"].items()}
    for name in ("strict", "preprocessed"):
        found = {**answered[name], "error": [""] * few}
        compare(labels, expected, found, exact=exact, origins=origins, signature=name)
    for name in {"outputs", "features", "embedding"} & {*first}:
        _compare_arrays(name, first[name], answered[name], EXACT if exact else _ROUGH)
    return {"data": request["data"], **record, **answered["about"]}


def compare(
    labels: Labels,
    expected: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    exact: bool,
    origins: Sequence[str] = (),
    signature: str = "serve",
) -> dict[str, Any]:
    """Compare the answers of an exported model with those of Python; see `prove`.

    Args:
        labels: Labels of the run.
        expected: Answers of Python by name, a list with a value per example.
        found: Outputs of the model in the same form.
        exact: Whether the model computes in float32.
        origins: Names of the examples in messages.
        signature: Name of the signature in messages.

    Raises:
        ProofError: They disagree.
    """
    differences = differences_of(labels, expected, found)
    changed = _changed(labels, expected, found)
    unequal = np.any(list(changed.values()), axis=0)
    largest, limit = float(differences.max()), mean_limit(differences)
    value, allowed = (largest, EXACT) if exact else (limit, MARGIN)
    share = 0.0 if exact else max(_SHARE, 1 / len(differences))
    failed = any(found["error"]) or any(part.mean() > share for part in changed.values())
    # A comparison with NaN is false.
    agree = value <= allowed and not failed
    if not agree:
        wrong = np.flatnonzero(unequal | ~(differences <= allowed)).tolist()
        first = wrong[0] if wrong else int(differences.argmax())
        name = origins[first] if first < len(origins) else f"example {first + 1}"
        reason = f"{name}: {found['error'][first]}" if found["error"][first] else name
        raise ProofError(
            f"The answers of the exported model (signature {signature}) differ from Python's for "
            f"{len(wrong)} of {len(differences)} examples (first: {reason.rstrip('.')}): "
            f"{'largest' if exact else 'mean'} difference {value:.2g} ({allowed:g} is allowed), "
            f"other decisions for {int(unequal.sum())}. {_AGAIN}"
        )
    return {
        "examples": len(differences),
        "agree": True,
        "test": "exact" if exact else "equivalence",
        "largest_difference": largest,
        "tolerance": allowed,
        **({} if exact else {"mean_difference_limit": limit, "unequal": int(unequal.sum())}),
    }


def _compare_arrays(name: str, expected: Any, found: Any, allowed: float) -> None:
    """Compare the numbers of a signature by the length of their difference, relatively.

    Raises:
        ProofError: They differ by more than is allowed, or in their shape.
    """
    wanted, given = np.asarray(expected), np.asarray(found)
    difference = np.nan
    if wanted.shape == given.shape:
        difference = float(np.linalg.norm(given - wanted)) / max(
            float(np.linalg.norm(wanted)), 1e-30
        )
    if not difference <= allowed:
        raise ProofError(
            f"The signature {name} of the exported model differs from Python: relative difference "
            f"{difference:.2g} ({allowed:g} is allowed). Export the run again, and report it as a "
            "bug if that fails too."
        )


def answer_alone(script: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Return what a script prints in a fresh process: a JSON object in its last line.

    Args:
        script: Path of the script.
        folder: Its first argument: the folder of an exported model.
        *arguments: Its other arguments.

    Raises:
        ProofError: The process fails, or has not answered after 10 minutes.
    """
    # On the CPU: this process may have taken the whole memory of a GPU.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", script, str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ProofError(
            f"A fresh process did not answer with {folder} within {_SECONDS} s. Try again when the "
            "machine has less to do, and report it as a bug if that fails too."
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ProofError(
            f"A fresh process cannot answer with {folder}: "
            f"{lines[-1] if lines else f'exit code {done.returncode}'}. Report this as a bug."
        )
    try:
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError) as error:
        raise ProofError(
            f"The fresh process printed no answers ({first_line(error)}). Report this as a bug."
        ) from error


def differences_of(
    labels: Labels, expected: Mapping[str, Any], found: Mapping[str, Any]
) -> np.ndarray:
    """Return the largest difference of each example, shape (n,); NaN where one is missing."""
    total = None
    for name, values in expected.items():
        wanted = np.asarray(values)
        if wanted.dtype.kind != "f":
            continue
        answer = np.asarray(found.get(name, np.nan), np.float64)
        if answer.shape != wanted.shape:
            answer = np.full(wanted.shape, np.nan)
        unit = 1.0
        if name in _NUMBERS:
            unit = 0.0 if labels.transform == "log" else labels.std
        elif name == "known_score":
            unit = _KNOWN_UNIT
        each = np.abs(answer - wanted) / np.maximum(np.abs(wanted), max(unit, 1e-30))
        each = each.reshape(len(wanted), -1).max(axis=1)
        total = each if total is None else np.maximum(total, each)
    assert total is not None  # every task returns numbers
    return np.asarray(total)


def _changed(
    labels: Labels, expected: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return how far the texts and booleans of each example differ by name, from 0 to 1."""
    changed = {"error": np.array([float(bool(text)) for text in found["error"]])}
    if labels.names:
        expected = {**expected, "classes": [list(labels.names)] * len(found["error"])}
    for name, values in expected.items():
        if np.asarray(values).dtype.kind != "f":
            answers = found.get(name, [None] * len(values))
            pairs = zip(answers, values, strict=True)
            changed[name] = np.array([_distance(answer, value) for answer, value in pairs])
    return changed


def _distance(answer: Any, value: Any) -> float:
    """Return the Jaccard distance of two sets of classes; of other values whether they differ."""
    if answer == value or not (isinstance(value, list) and np.shape(answer) == np.shape(value)):
        return float(answer != value)
    one, other = np.array(answer), np.array(value)
    return float((one != other).sum() / (one | other).sum()) if one.dtype == bool else 1.0


def mean_limit(differences: np.ndarray) -> float:
    """Return the upper 95% confidence limit of the mean difference (Student 1908)."""
    from scipy import stats

    count = len(differences)
    if count < 2:
        return float(differences.max())
    error = differences.std(ddof=1) / count**0.5
    return float(differences.mean() + stats.t.ppf(0.95, count - 1) * error)
