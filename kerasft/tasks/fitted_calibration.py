"""Fits of the calibrations of tasks, from the outputs for the validation split."""

from __future__ import annotations

import numpy as np

from kerasft.calibration import DEFAULT_THRESHOLD, Calibration
from kerasft.calibration.conformal import fit_interval, fit_sets
from kerasft.calibration.cross_validation import LEAST
from kerasft.calibration.options import CalibrationOptions, Fitted, needed_examples
from kerasft.calibration.reliability import class_reliability, label_reliability
from kerasft.calibration.temperature import (
    fit_scales,
    fit_temperature,
    scale_classes,
    scale_labels,
)
from kerasft.calibration.thresholds import (
    fit_precision,
    fit_recall,
    fit_rejection,
    fit_thresholds,
)
from kerasft.tasks.labels import Labels

_NAMED = 5  # labels in a note


def fit_classes(y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions) -> Fitted:
    """Return temperature, prediction sets and rejection for one class per example."""
    from keras import ops

    temperature, held_out = fit_temperature(outputs, y)
    scores = _before_after(class_reliability(outputs, y), class_reliability(held_out, y))
    notes = [_too_few("Probabilities are not calibrated", LEAST, len(y))] if len(y) < LEAST else []
    probabilities = ops.convert_to_numpy(scale_classes(ops.convert_to_tensor(outputs), temperature))
    sets = fit_sets(probabilities, y, options.coverage)
    if sets is None:
        needed = needed_examples(options.coverage)
        notes.append(_too_few("Prediction sets are not fitted", needed, len(y)))
    else:
        members = ops.convert_to_numpy(sets.members(ops.convert_to_tensor(probabilities)))
        scores["set_size"] = float(members.sum(axis=1).mean())
    rejection = None
    if options.max_error is not None:
        best, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
        rejection = fit_rejection(best, correct, options.max_error)
        if rejection is None:
            notes.append(_no_rejection(options.max_error, len(y)))
        else:
            accepted = best >= rejection
            scores["accepted"] = float(accepted.mean())
            scores["accepted_error"] = float(1 - correct[accepted].mean())
    fitted = Calibration(temperature, rejection=rejection, sets=sets)
    return Fitted(fitted, scores, tuple(notes))


def _no_rejection(max_error: float, count: int) -> str:
    needed = needed_examples(1 - max_error)
    return (
        f"No predictions are rejected: no threshold keeps the estimated share of errors to "
        f"{max_error:g} on {count:,} validation examples. At least {needed:,} examples without an "
        "error are needed."
    )


def fit_labels(
    labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
) -> Fitted:
    """Return log-odds and thresholds for several labels per example."""
    from keras import ops

    slopes, offsets, held_out = fit_scales(outputs, y)
    scores = _before_after(label_reliability(outputs, y), label_reliability(held_out, y))
    notes = [_too_few("Probabilities are not calibrated", LEAST, len(y))] if len(y) < LEAST else []
    probabilities = ops.convert_to_numpy(
        scale_labels(ops.convert_to_tensor(outputs), slopes, offsets)
    )
    # Thresholds equivalent to the default one before the probabilities are scaled.
    default = np.full((1, outputs.shape[1]), DEFAULT_THRESHOLD, "float32")
    otherwise = ops.convert_to_numpy(scale_labels(ops.convert_to_tensor(default), slopes, offsets))
    thresholds, missed = _thresholds(labels, y > 0, probabilities, otherwise[0], options)
    if missed:
        names = ", ".join(missed[:_NAMED]) + (" and others" if len(missed) > _NAMED else "")
        wanted = options.min_precision or options.min_recall or 0.0
        name = "precision" if options.min_precision else "recall"
        notes.append(
            f"{len(missed)} of {len(labels.names)} labels keep their threshold ({names}): a "
            f"{name} of {wanted:g} needs at least {needed_examples(wanted):,} validation examples "
            f"of the label, and a threshold that reaches it."
        )
    if set(thresholds) == {DEFAULT_THRESHOLD}:
        thresholds = ()
    return Fitted(Calibration(1.0, slopes, offsets, thresholds), scores, tuple(notes))


def _thresholds(
    labels: Labels,
    truth: np.ndarray,
    probabilities: np.ndarray,
    otherwise: np.ndarray,
    options: CalibrationOptions,
) -> tuple[tuple[float, ...], list[str]]:
    """Return the thresholds, and the labels that cannot have what the options ask for."""
    least = options.min_precision or options.min_recall
    if least is None:
        return fit_thresholds(probabilities, truth, otherwise), []
    fit = fit_precision if options.min_precision else fit_recall
    found = [fit(p, t, least) for p, t in zip(probabilities.T, truth.T, strict=True)]
    missed = [name for name, value in zip(labels.names, found, strict=True) if value is None]
    kept = [b if a is None else a for a, b in zip(found, otherwise, strict=True)]
    return tuple(float(value) for value in kept), missed


def fit_number(
    labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
) -> Fitted:
    """Return the interval around a predicted number."""
    logarithm = labels.transform == "log"
    interval = fit_interval(outputs[:, 0], y, options.coverage, logarithm=logarithm)
    if interval is None:
        note = _too_few("Intervals are not fitted", needed_examples(options.coverage), len(y))
        return Fitted(Calibration(), {}, (note,))
    return Fitted(Calibration(interval=interval), {})


def _before_after(
    before: dict[str, float], after: dict[str, float]
) -> dict[str, dict[str, float] | float]:
    return {name: {"before": before[name], "after": after[name]} for name in before}


def _too_few(what: str, needed: int, count: int) -> str:
    return f"{what}: at least {needed:,} validation examples are needed, and there are {count:,}."
