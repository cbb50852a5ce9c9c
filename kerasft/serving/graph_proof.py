"""Proof of an ONNX or LiteRT graph: a fresh process with its runtime alone answers as Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.data import Labels
from kerasft.display import status
from kerasft.evaluation import graph_file
from kerasft.runs import read_json
from kerasft.serving.proof import FILE, answer_alone, compare

ARRAYS = "proof.npz"


def prove_graph(
    folder: Path, labels: Labels, *, exact: bool, origins: Sequence[str] = ()
) -> dict[str, Any]:
    """Compare the answers of a fresh process with those in `proof.json`, as `prove` does.

    Args:
        folder: Folder of the graph, with `proof.json`, and the prepared inputs in `proof.npz`.
        labels: Labels of the run.
        exact: Whether the graph computes in float32.
        origins: Names of the examples in messages; by default their numbers, from 1.

    Returns:
        The record of the proof.

    Raises:
        ProofError: The graph cannot be loaded, or its answers differ.
    """
    status("proving the export in a fresh process")
    request = read_json(folder / FILE)
    answered = answer_alone(graph_file.__file__, folder, str(folder / ARRAYS))
    expected = request["answers"]
    found = {**answered["outputs"], "error": [""] * len(expected["prediction"])}
    record = compare(
        labels, expected, found, exact=exact, origins=origins, signature="preprocessed"
    )
    return {"data": request["data"], **record, **answered["about"]}


def write_arrays(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write prepared inputs by name, as `prove_graph` reads them."""
    np.savez_compressed(folder / ARRAYS, **arrays)
