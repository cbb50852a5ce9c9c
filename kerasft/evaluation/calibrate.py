"""Fits on the validation split of a run: probabilities, thresholds, sets, known inputs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasft.calibration import Calibration, Known
from kerasft.calibration.conformal import conformal_limit
from kerasft.calibration.options import CalibrationOptions, Fitted, needed_examples
from kerasft.data import Labels
from kerasft.errors import KerasftError, SettingError
from kerasft.evaluation.known_inputs import (
    NO_HEAD,
    RENDERED,
    KnownInputs,
    find_known_inputs,
)
from kerasft.evaluation.load import load_model
from kerasft.evaluation.metrics import measure_calibrated
from kerasft.evaluation.stored_predictions import WORST_FILE, calibrate_worst
from kerasft.runs import Run, file_lock, load_run, write_record
from kerasft.runs.calibration_file import (
    SCORES,
    read_calibration_arrays,
    write_calibration,
)
from kerasft.runs.predictions_file import PREDICTIONS, read_predictions

_FORMAT = 1
_NOT_FITTED = "`known`, whether an input resembles the training examples, is not fitted"
_LOCK = "calibration.lock"  # held by the process that calibrates


class SplitOutputs(NamedTuple):
    """Outputs for a split.

    Attributes:
        y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
        outputs: Outputs of the model, shape (n, outputs).
    """

    y: np.ndarray
    outputs: np.ndarray


def calibrate(
    run: Run | str | Path,
    *,
    coverage: float = 0.9,
    known_coverage: float = 0.95,
    max_error: float | None = None,
    min_precision: float | None = None,
    min_recall: float | None = None,
) -> dict[str, Any]:
    """Fit probabilities, thresholds, prediction sets and known inputs of a run again.

    Nothing is trained: what the fit has stored for the validation split is used. Only a run that
    has no calibration yet is loaded with its data, for the known inputs.

    Args:
        run: Finished run, or its folder or name as in `load_run`.
        coverage: Share of examples whose true class is in the prediction set, or whose true number
            is in the interval.
        known_coverage: Share of the validation examples that are known.
        max_error: Largest estimated share of errors among accepted predictions, without a
            guarantee; only for one class per example. By default all are accepted.
        min_precision: Least precision of every label; only for several labels. By default
            thresholds maximize F1.
        min_recall: Least recall of every label; only for several labels.

    Returns:
        The record, as in `Run.calibration`: `examples`, `options`, `calibration`, `scores`, and
        `notes` on what could not be fitted.

    Raises:
        SettingError: An option is out of range or does not fit the task, or the run has no
            predictions for a validation split.
        DamagedFileError: A file of the run is missing or has changed.

    Example:
        >>> kerasft.calibrate("latest", max_error=0.02)["scores"]["accepted"]
    """
    options = CalibrationOptions(coverage, known_coverage, max_error, min_precision, min_recall)
    run = load_run(run)
    lock = run.path / _LOCK
    with file_lock(lock, f"is calibrating {run.path}. Wait for it."):
        try:
            return _calibrate(run, options)
        finally:
            lock.unlink()


def _calibrate(run: Run, options: CalibrationOptions) -> dict[str, Any]:
    labels = Labels.from_dict(run.labels)
    labels.kind.check_options(options)
    splits = _stored_outputs(run)
    for name in (WORST_FILE, "metrics.json"):  # a damaged one is refused before anything is written
        run.record_file(name)
    known_inputs = _stored_known_inputs(run)
    calibration = record_calibration(run, labels, splits, known_inputs, options)
    calibrate_worst(run, labels, *splits["validation"], calibration)
    if "test" in splits and "test" in run.metrics:
        found = measure_test(labels, splits["test"], calibration, known_inputs)
        test = {k: v for k, v in run.metrics["test"].items() if k != "calibrated"}
        write_record(run, "metrics.json", {**run.metrics, "test": {**test, **found}})
    return run.calibration


def _stored_outputs(run: Run) -> dict[str, SplitOutputs]:
    arrays = read_predictions(run)
    if not arrays:
        raise SettingError(
            f"{run.path} has no {PREDICTIONS} (state of its fit: {run.state}). Give a finished run."
        )
    splits = [name.removeprefix("y_") for name in arrays if name.startswith("y_")]
    found = {name: SplitOutputs(arrays[f"y_{name}"], arrays[f"outputs_{name}"]) for name in splits}
    if "validation" not in found:
        raise SettingError(f"{run.path} has no predictions for a validation split. Fit it again.")
    return found


def _stored_known_inputs(run: Run) -> KnownInputs:
    """Return the scores of known inputs as stored, or from the model and data of an older run."""
    arrays = read_calibration_arrays(run)
    if arrays:
        scores = {n.removeprefix(SCORES): a for n, a in arrays.items() if n.startswith(SCORES)}
        return KnownInputs({n: a for n, a in arrays.items() if not n.startswith(SCORES)}, scores)
    reason = run.calibration.get("known_reason")
    if reason in (NO_HEAD, RENDERED):  # a model or data that could not be loaded may be back
        return KnownInputs(reason=reason)
    try:
        return find_known_inputs(run, load_model(run))
    except KerasftError as error:
        return KnownInputs(reason=f"the model or the data cannot be loaded ({error})")


def record_calibration(
    run: Run,
    labels: Labels,
    splits: Mapping[str, SplitOutputs],
    known_inputs: KnownInputs,
    options: CalibrationOptions,
) -> Calibration:
    """Fit a calibration on the validation split and write it into a run.

    Args:
        run: Run to write to.
        labels: Task and class names.
        splits: Outputs for the splits by name; `validation` is fitted on.
        known_inputs: Scores of known inputs of the same splits.
        options: What the calibration aims at.
    """
    validation = splits["validation"]
    fitted = labels.kind.fit_calibration(labels, validation.y, validation.outputs, options)
    fitted = _with_known(fitted, known_inputs, options.known_coverage)
    record = {
        "format": _FORMAT,
        "examples": len(validation.y),
        "options": dataclasses.asdict(options),
        "calibration": fitted.calibration.to_dict(),
        "scores": fitted.scores,
        "known_reason": known_inputs.reason,
        "notes": list(fitted.notes),
    }
    write_calibration(run, record, known_inputs.stored())
    return fitted.calibration


def measure_test(
    labels: Labels, test: SplitOutputs, calibration: Calibration, known_inputs: KnownInputs
) -> dict[str, Any]:
    """Return the scores of the calibrated answers on the test split, which nothing is fitted on.

    Args:
        labels: Task and class names.
        test: Outputs for the test split.
        calibration: Calibration of the run.
        known_inputs: Scores of known inputs of the same split.
    """
    scores = known_inputs.scores.get("test")
    return measure_calibrated(labels, test.y, test.outputs, calibration, scores)


def _with_known(fitted: Fitted, known_inputs: KnownInputs, coverage: float) -> Fitted:
    """Return a fitted calibration with the threshold of known inputs."""
    scores = known_inputs.scores.get("validation")
    if scores is None:
        note = f"{_NOT_FITTED}: {known_inputs.reason} to fit it."
        return dataclasses.replace(fitted, notes=(*fitted.notes, note))
    limit = conformal_limit(-scores, coverage)
    if limit is None:
        lower = math.floor(100 * len(scores) / (len(scores) + 1)) / 100  # what they are enough for
        note = (
            f"{_NOT_FITTED}: a coverage of {coverage:g} needs at least "
            f"{needed_examples(coverage):,} validation examples, and there are {len(scores):,}. "
            f"Add validation examples, or run: kerasft calibrate RUN --known-coverage {lower:g}."
        )
        return dataclasses.replace(fitted, notes=(*fitted.notes, note))
    known = Known(coverage, -limit, known_inputs.arrays)
    calibration = dataclasses.replace(fitted.calibration, known=known)
    return dataclasses.replace(fitted, calibration=calibration)
