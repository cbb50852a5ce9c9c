"""Calibrated probabilities: temperature, log-odds of labels, and how far they are off."""

import numpy as np
import pytest
from keras import ops

from kerasft.calibration.cross_validation import folds
from kerasft.calibration.reliability import class_reliability, label_reliability, reliability
from kerasft.calibration.temperature import (
    at_temperature,
    fit_scales,
    fit_temperature,
    scale_classes,
    scale_labels,
)
from tests.calibration.made import TEST, classes, labels


@pytest.mark.parametrize("sharper", [0.6, 2.5])
def test_a_temperature_halves_the_calibration_error_of_new_examples(sharper):
    for seed in range(5):
        outputs, y = classes(seed, 300 + TEST, sharper)
        temperature, _ = fit_temperature(outputs[:300], y[:300])
        assert temperature == pytest.approx(sharper, rel=0.2)
        scaled = ops.convert_to_numpy(
            scale_classes(ops.convert_to_tensor(outputs[300:]), temperature)
        )
        before = class_reliability(outputs[300:], y[300:])["calibration_error"]
        after = class_reliability(scaled, y[300:])["calibration_error"]
        assert after <= max(before / 2, 0.02)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_fit_scales_probabilities_as_a_model_does(temperature):
    outputs, _ = classes(2, 200)
    scaled = ops.convert_to_numpy(scale_classes(ops.convert_to_tensor(outputs), temperature))
    assert at_temperature(outputs, temperature) == pytest.approx(scaled, rel=1e-4, abs=1e-6)


def test_a_temperature_that_does_not_help_stays_at_1():
    outputs, y = classes(1, 9, 3.0)
    assert fit_temperature(outputs, y)[0] == 1.0  # too few examples to show a gain
    kept = [fit_temperature(*classes(seed, 40))[0] == 1.0 for seed in range(10)]
    assert sum(kept) >= 5
    assert scale_classes(outputs, 1.0) is outputs


def test_the_scores_after_are_those_of_examples_that_were_not_fitted_on():
    outputs, y = classes(2, 60, 2.5)
    _, held_out = fit_temperature(outputs, y)
    assert held_out.shape == outputs.shape
    assert held_out.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    temperatures = np.log(outputs[:, 0] / outputs[:, 1]) / np.log(held_out[:, 0] / held_out[:, 1])
    parts = [temperatures[scored] for _, scored in folds(60)]
    assert all(part == pytest.approx(part[0], rel=1e-4) for part in parts)
    assert len({round(float(part[0]), 2) for part in parts}) > 1


def test_examples_without_an_error_do_not_make_every_probability_1():
    outputs, _ = classes(5, 200)
    temperature, _ = fit_temperature(outputs, outputs.argmax(axis=1))
    assert 0.1 < temperature < 1


def test_probabilities_of_0_stay_finite():
    given = ops.convert_to_tensor(np.array([[1.0, 0.0, 0.0]], "float32"))
    scaled = ops.convert_to_numpy(scale_classes(given, 20.0))
    assert np.isfinite(scaled).all() and scaled.argmax() == 0


def test_every_label_gets_its_own_log_odds():
    outputs, y = labels(0, 400 + TEST)
    slopes, offsets, _ = fit_scales(outputs[:400], y[:400])
    assert len(slopes) == len(offsets) == 6
    scaled = ops.convert_to_numpy(
        scale_labels(ops.convert_to_tensor(outputs[400:]), slopes, offsets)
    )
    before = label_reliability(outputs[400:], y[400:])
    after = label_reliability(scaled, y[400:])
    assert after["calibration_error"] <= max(before["calibration_error"] / 2, 0.02)
    assert after["log_loss"] < before["log_loss"]


def test_a_label_that_never_occurs_has_finite_log_odds():
    outputs, y = labels(3, 100)
    y[:, 0] = 0.0
    slopes, offsets, held_out = fit_scales(outputs, y)
    assert np.isfinite([*slopes, *offsets]).all() and np.isfinite(held_out).all()
    assert fit_scales(outputs[:5], y[:5])[:2] == ((), ())


def test_reliability_counts_every_prediction_once():
    confidence, correct = np.array([0.05, 0.95, 1.0, 0.5]), np.array([True, True, False, True])
    points = reliability(confidence, correct)
    assert [count for _, _, count in points] == [1, 1, 2]
    assert points[2][:2] == pytest.approx((0.975, 0.5))
