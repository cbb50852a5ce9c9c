"""Proof of a folder of Hugging Face: a fresh process computes the logits of Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import special

from kerasft.data import Labels, prepare_inputs
from kerasft.display import status
from kerasft.errors import ProofError, SettingError
from kerasft.evaluation.load import Loaded
from kerasft.evaluation.predict import predict_arrays
from kerasft.models.fast_layers import exported_graphs
from kerasft.serving.examples import (
    by_name,
    data_name,
    exact_products,
    proof_examples,
    python_answers,
    raw_inputs_of,
)
from kerasft.serving.huggingface import fresh_process
from kerasft.serving.huggingface.folder import output_layer
from kerasft.serving.proof import EXACT, FILE, answer_alone, request_of

KIND = "huggingface"
TOLERANCE = 1e-4  # of logits


def folder_request(
    loaded: Loaded, names: Sequence[str], data: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `proof.json` has, with the logits of Python, and prepared examples by name.

    Args:
        loaded: Run in memory, in float32, before its adapters are merged.
        names: Names of the raw inputs.
        data: Inputs as of `predict`; None for the validation split of the run.

    Raises:
        DataError: The data cannot be read.
        SettingError: The predictions do not follow from the output layer.
    """
    examples = proof_examples(loaded, data)
    x = prepare_inputs(loaded.config, examples)
    with exact_products():
        logits = _logits(loaded, x)
        _check_predictions(loaded, logits, python_answers(loaded, examples))
    request = {
        "data": data_name(data),
        "inputs": request_of(names, raw_inputs_of(loaded, examples)),
        "answers": {"logits": logits.tolist()},
    }
    return request, by_name(loaded.model, x)


def _logits(loaded: Loaded, x: Any) -> np.ndarray:
    """Return the calibrated logits of a run, or its predicted numbers, shape (n, outputs)."""
    linear = keras.Model(loaded.model.input, output_layer(loaded).output)
    with exported_graphs():
        outputs = predict_arrays(linear, x, loaded.config.batch_size)
    scale, shift = loaded.labels.kind.calibrated_logits(loaded.labels, loaded.calibration)
    return np.asarray(outputs * scale + shift)


def _check_predictions(loaded: Loaded, logits: np.ndarray, answers: Mapping[str, Any]) -> None:
    """Check that users of the logits get the predictions of the run.

    Raises:
        SettingError: They get others.
    """
    kind = loaded.labels.kind
    if not kind.has_classes:
        expected, found = np.array(answers["prediction"])[:, np.newaxis], logits
        unit = np.maximum(np.abs(expected), loaded.labels.std)
    else:
        expected, unit = np.array(answers["probabilities"]), 1.0
        found = special.expit(logits) if kind.several else special.softmax(logits, axis=1)
    largest = float((np.abs(found - expected) / unit).max())
    if not largest <= EXACT:
        raise SettingError(
            f"The predictions of the model differ by up to {largest:.2g} from those by the layer "
            "of kerasft.head, which transformers gives: expected nothing between the two. Use "
            "--format saved_model."
        )


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
    answered = answer_alone(fresh_process.__file__, folder)
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
