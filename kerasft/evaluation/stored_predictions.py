"""Stored predictions of a run: all outputs, and examples of its errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.calibration import Calibration
from kerasft.config import Config
from kerasft.data import Labels, Split
from kerasft.evaluation.metrics import example_losses
from kerasft.evaluation.run_answers import by_example
from kerasft.modalities import modality_of
from kerasft.runs import Run, read_json_rows, write_json, write_record
from kerasft.runs.predictions_file import write_predictions

WORST_FILE = "worst.json"
WORST = 16  # number of examples in worst.json
_CONFUSED = 100  # number of examples in confusions.json
_EACH = 6  # of them, at most in one cell of the matrix


def save_predictions(
    run: Run,
    config: Config,
    labels: Labels,
    splits: dict[str, tuple[Split, np.ndarray]],
    calibration: Calibration,
) -> None:
    """Write `predictions.npz`, `worst.json` and `confusions.json` into a run.

    `predictions.npz` contains `y_SPLIT`, and `outputs_SPLIT` as float32. `worst.json` lists the
    validation examples with the highest loss: `index`, `origin`, `truth`, `prediction`,
    `probability` (of the prediction), `loss`, and `text`, or `picture` as a base64-encoded PNG.
    `confusions.json` has examples of the cells of the confusion matrix of the last split: of errors
    the most confident ones, of correct predictions the least confident ones.

    Args:
        run: Run to write to.
        config: Settings; those of the loss, such as `label_smoothing`, are used.
        labels: Task and class names.
        splits: Split and outputs of the model, shape (n, outputs), by name of the split.
        calibration: Calibration of the run; `worst.json` has calibrated probabilities.
    """
    arrays = {}
    for name, (split, outputs) in splits.items():
        arrays[f"y_{name}"] = np.asarray(split.y)
        arrays[f"outputs_{name}"] = np.asarray(outputs, np.float32)
    write_predictions(run, arrays)
    if "validation" in splits:
        write_json(
            run.path / WORST_FILE, _worst(config, labels, *splits["validation"], calibration)
        )
    if splits and labels.kind.has_classes and not labels.kind.several:
        name = "test" if "test" in splits else "validation"
        cells = _confusions(config, *splits[name])
        write_json(run.path / "confusions.json", {"split": name, "cells": cells})


def _confusions(config: Config, split: Split, outputs: np.ndarray) -> list[dict[str, Any]]:
    """Return examples by true and predicted class, errors first."""
    truth, predicted = np.asarray(split.y), outputs.argmax(axis=1)
    confidence, modality = outputs.max(axis=1), modality_of(config)
    correct = truth == predicted
    members: dict[tuple[int, int], list[int]] = {}
    for index in np.argsort(np.where(correct, confidence, -confidence), kind="stable"):
        members.setdefault((int(truth[index]), int(predicted[index])), []).append(int(index))
    # One of every cell before the second of any; cells of errors before the diagonal.
    ranked = [
        (rank, cell[0] == cell[1], cell, index)
        for cell, indices in members.items()
        for rank, index in enumerate(indices[:_EACH])
    ]
    found: dict[tuple[int, int], list[Any]] = {}
    for _, _, cell, index in sorted(ranked)[:_CONFUSED]:
        shown = modality.excerpt(split.examples.inputs[index], split.x, index)
        row = {"origin": split.examples.origins[index], "probability": float(confidence[index])}
        found.setdefault(cell, []).append({**row, **shown})
    return [{"truth": t, "predicted": p, "examples": rows} for (t, p), rows in found.items()]


def _worst(
    config: Config,
    labels: Labels,
    split: Split,
    outputs: np.ndarray,
    calibration: Calibration,
) -> list[Any]:
    losses = example_losses(config, labels, np.asarray(split.y), outputs)
    rows, modality = [], modality_of(config)
    answers = by_example(labels.kind.decide(labels, outputs, calibration))
    for index in np.argsort(-losses, kind="stable")[:WORST]:
        truth, prediction, probability = labels.kind.truth_and_prediction(
            labels, split.y[index], answers[index]
        )
        rows.append(
            {
                "index": int(index),
                "origin": split.examples.origins[index],
                "truth": truth,
                "prediction": prediction,
                "probability": probability,
                "loss": float(losses[index]),
                **modality.excerpt(split.examples.inputs[index], split.x, int(index)),
            }
        )
    return rows


def calibrate_worst(
    run: Run, labels: Labels, y: np.ndarray, outputs: np.ndarray, calibration: Calibration
) -> None:
    """Rewrite predictions and probabilities in `worst.json` by another calibration.

    Rows of older runs have no index and are left as they are.

    Args:
        run: Run to write to.
        labels: Task and class names.
        y: Targets of the validation split.
        outputs: Outputs of the model for it, shape (n, outputs).
        calibration: Calibration of the run.
    """
    path = run.record_file(WORST_FILE)
    rows = read_json_rows(path) if path.exists() else []
    indexed = [row for row in rows if "index" in row]
    if not indexed:
        return
    indices = [row["index"] for row in indexed]
    answers = by_example(labels.kind.decide(labels, outputs[indices], calibration))
    for row, index, answer in zip(indexed, indices, answers, strict=True):
        _, row["prediction"], row["probability"] = labels.kind.truth_and_prediction(
            labels, y[index], answer
        )
    write_record(run, WORST_FILE, rows)
