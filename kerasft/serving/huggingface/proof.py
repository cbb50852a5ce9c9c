"""Proof of a folder of Hugging Face: a fresh process computes the logits of Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.data import Labels, prepare_inputs
from kerasft.display import status
from kerasft.errors import ProofError
from kerasft.evaluation.load import Loaded
from kerasft.evaluation.predict import predict_arrays
from kerasft.serving.examples import (
    by_name,
    data_name,
    exact_products,
    proof_examples,
    raw_inputs_of,
)
from kerasft.serving.graph_proof import write_arrays
from kerasft.serving.huggingface import process
from kerasft.serving.proof import FILE, answer_alone, request_of

KIND = "huggingface"
TOLERANCE = 1e-4  # of logits


def folder_request(loaded: Loaded, folder: Path, names: Sequence[str], data: Any) -> dict[str, Any]:
    """Write prepared examples, and return what `proof.json` has of them.

    Args:
        loaded: Run in memory, in float32.
        folder: Folder of the export.
        names: Names of the inputs.
        data: Inputs as of `predict`; None for the validation split of the run.

    Raises:
        DataError: The data cannot be read.
    """
    examples = proof_examples(loaded, data)
    x = prepare_inputs(loaded.config, examples)
    write_arrays(folder, by_name(loaded.model, x))
    return {
        "data": data_name(data),
        "inputs": request_of(names, raw_inputs_of(loaded, examples)),
        "answers": {"logits": _logits(loaded, x).tolist()},
    }


def _logits(loaded: Loaded, x: Any) -> np.ndarray:
    """Return the calibrated logits of a run, or its predicted numbers, shape (n, outputs)."""
    model = loaded.model
    linear = keras.Model(model.input, model.get_layer("head").output)
    with exact_products():
        outputs = predict_arrays(linear, x, loaded.config.batch_size)
    scale, shift = loaded.labels.kind.calibrated_logits(loaded.labels, loaded.calibration)
    return np.asarray(outputs * scale + shift)


def prove(folder: Path, labels: Labels) -> dict[str, Any]:
    """Compare the logits of a fresh process with those in `proof.json` of a folder.

    None may differ by more than 1e-4: absolutely, or relatively where it is above 1 (a number:
    above the standard deviation of the target).

    Args:
        folder: Folder with the files of Hugging Face and `proof.json`.
        labels: Labels of the run.

    Returns:
        The record of the proof; `by` names the library that answered.

    Raises:
        ProofError: The folder cannot be loaded, or its logits differ.
    """
    status("proving the export in a fresh process")
    request = json.loads((folder / FILE).read_text(encoding="utf-8"))
    expected = np.array(request["answers"]["logits"])
    answered = answer_alone(process.__file__, folder)
    found = np.array(answered["logits"])
    same = found.shape == expected.shape
    unit = np.maximum(np.abs(expected), labels.std)
    largest = float((np.abs(found - expected) / unit).max()) if same else float("nan")
    if not largest <= TOLERANCE:
        raise ProofError(
            f"The logits of the exported model differ from Python's by up to {largest:.2g}, but "
            f"{TOLERANCE:g} is allowed ({len(expected)} examples). Export the run again, and "
            "report it as a bug if that fails too."
        )
    return {
        "data": request["data"],
        "examples": len(expected),
        "agree": True,
        "test": "exact",
        "largest_difference": largest,
        "tolerance": TOLERANCE,
        **answered["about"],
    }
