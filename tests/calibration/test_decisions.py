"""Thresholds, rejection, prediction sets and intervals: what they promise on new examples."""

import numpy as np
import pytest
from keras import ops

from kerasft.calibration import Calibration, Interval, PredictionSets
from kerasft.calibration.conformal import conformal_limit, fit_interval, fit_sets
from kerasft.calibration.options import CalibrationOptions, needed_examples
from kerasft.calibration.thresholds import (
    fit_precision,
    fit_recall,
    fit_rejection,
    fit_thresholds,
    macro_f1,
)
from kerasft.errors import SettingError
from kerasft.tasks import Labels
from kerasft.tasks.fitted_calibration import fit_labels
from tests.calibration.made import TEST, classes, labels


@pytest.mark.parametrize("number", [5, 40])
def test_prediction_sets_have_their_coverage_and_the_prediction(number):
    coverages, sizes = [], []
    for seed in range(5):
        outputs, y = classes(seed, 500 + TEST, number=number)
        sets = fit_sets(outputs[:500], y[:500], 0.9)
        members = ops.convert_to_numpy(sets.members(ops.convert_to_tensor(outputs[500:])))
        assert members[np.arange(TEST), outputs[500:].argmax(axis=1)].all()
        coverages.append(members[np.arange(TEST), y[500:]].mean())
        sizes.append(members.sum(axis=1).mean())
    assert 0.88 <= np.mean(coverages) <= 0.92
    assert max(sizes) < 0.6 * number
    assert sets.kind == ("least ambiguous" if number == 5 else "adaptive")


def test_adaptive_scores_are_the_probability_of_more_probable_classes():
    sets = PredictionSets(0.9, "adaptive", 0.55, penalty=0.1, free_ranks=2)
    given = ops.convert_to_tensor(np.array([[0.1, 0.5, 0.15, 0.25]], "float32"))
    assert ops.convert_to_numpy(sets.scores(given))[0] == pytest.approx([1.1, 0.0, 0.85, 0.5])
    assert ops.convert_to_numpy(sets.members(given))[0].tolist() == [False, True, False, True]


@pytest.mark.parametrize("logarithm", [False, True])
def test_intervals_have_their_coverage(logarithm):
    coverages = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        predicted = rng.uniform(1, 9, 300 + TEST)
        noise = rng.standard_t(3, len(predicted)) * 0.1
        y = predicted * np.exp(noise) if logarithm else predicted + noise
        interval = fit_interval(predicted[:300], y[:300], 0.9, logarithm=logarithm)
        lower, upper = interval.bounds(ops.convert_to_tensor(predicted[300:]))
        inside = (ops.convert_to_numpy(lower) <= y[300:]) & (y[300:] <= ops.convert_to_numpy(upper))
        coverages.append(inside.mean())
    assert 0.88 <= np.mean(coverages) <= 0.92


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_examples_give_no_limit(coverage, needed):
    assert needed_examples(coverage) == needed
    scores = np.arange(float(needed))
    assert conformal_limit(scores, coverage) > scores.max()
    assert conformal_limit(scores[1:], coverage) is None


def test_a_limit_lies_between_two_scores():
    assert conformal_limit(np.array([1.0, 2.0, 3.0, 4.0]), 0.5) == 3.5
    assert conformal_limit(np.array([1.0, 1.0, 1.0, 2.0]), 0.5) == 1.5


def test_an_interval_ends_between_two_examples():
    y = np.array([0.5, 1.0000001, 1.0000003])
    assert 1.0000001 < fit_interval(np.zeros(3), y, 0.5, logarithm=False).margin < 1.0000003


def test_accepted_predictions_have_few_errors():
    errors, accepted = [], []
    for seed in range(5):
        outputs, y = classes(seed, 500 + TEST)
        best, correct = outputs.max(axis=1), outputs.argmax(axis=1) == y
        threshold = fit_rejection(best[:500], correct[:500], 0.05)
        kept = best[500:] >= threshold
        errors.append(1 - correct[500:][kept].mean())
        accepted.append(kept.mean())
    assert np.mean(errors) <= 0.05 and np.mean(accepted) > 0.05
    assert 1 - correct.mean() > 0.2  # of all predictions


def test_equal_probabilities_are_accepted_together():
    probability, correct = np.array([0.9] * 60 + [0.5] * 2), np.array([True] * 60 + [True, False])
    assert fit_rejection(probability, correct, 0.02) == pytest.approx(0.7)
    assert fit_rejection(probability, correct, 0.001) is None


def test_thresholds_raise_f1_or_leave_it():
    gains = []
    for seed in range(8):
        outputs, y = labels(seed, 300 + TEST)
        thresholds = fit_thresholds(outputs[:300], y[:300], np.full(6, 0.5))
        predicted = outputs[300:] >= np.array(thresholds)
        truth = y[300:] > 0
        gains.append(macro_f1(predicted, truth) - macro_f1(outputs[300:] >= 0.5, truth))
    assert np.mean(gains) >= 0 and min(gains) > -0.01


def test_thresholds_of_rare_labels_raise_f1():
    rng = np.random.default_rng(0)
    truth = rng.random((4000, 4)) < 0.1
    probability = np.clip(0.2 * truth + 0.1 + rng.normal(size=truth.shape) * 0.05, 0.001, 0.999)
    thresholds = fit_thresholds(probability[:400], truth[:400].astype("float32"), np.full(4, 0.5))
    predicted = probability[400:] >= np.array(thresholds)
    assert macro_f1(predicted, truth[400:]) > 0.9 > macro_f1(probability >= 0.5, truth)
    few = fit_thresholds(probability[:40], truth[:40].astype("float32"), np.full(4, 0.5))
    assert few == (0.5,) * 4


def test_thresholds_reach_a_precision_or_a_recall():
    precisions, recalls = [], []
    for seed in range(5):
        outputs, y = labels(seed, 2000 + TEST)
        for column in range(2, 6):
            probability, truth = outputs[:, column], y[:, column] > 0
            precise = fit_precision(probability[:2000], truth[:2000], 0.8)
            precisions.append(truth[2000:][probability[2000:] >= precise].mean())
            complete = fit_recall(probability[:2000], truth[:2000], 0.9)
            recalls.append((probability[2000:][truth[2000:]] >= complete).mean())
            assert complete < precise
    assert np.mean(precisions) >= 0.8
    assert np.mean(recalls) >= 0.9
    assert fit_precision(probability[:5], truth[:5], 0.9) is None
    assert fit_recall(probability[:5], truth[:5], 0.9) is None


def test_the_threshold_of_a_saturated_label_separates_its_examples():
    outputs = np.array([[1 - 1e-7], [1 - 4e-7]] * 4, "float32")
    y = np.array([[1.0], [0.0]] * 4, "float32")
    fitted = fit_labels(
        Labels("multilabel", ("cat",)), y, outputs, CalibrationOptions(min_precision=0.7)
    ).calibration
    (threshold,) = fitted.thresholds
    assert ((outputs >= np.float32(threshold)) == y).all()


def test_a_calibration_is_the_same_after_json():
    calibration = Calibration(
        1.5, (1.0, 2.0), (0.0, 0.5), (0.4, 0.6), 0.8,
        PredictionSets(0.9, "adaptive", 0.7, 0.01, 5), Interval(0.9, 2.5, True),
    )  # fmt: skip
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert Calibration.from_dict(Calibration().to_dict()) == Calibration() != calibration


def test_ordinal_bounds_are_classes():
    labels = Labels("ordinal", (), 3.0, 1.0, "none", (1, 5))
    decided = labels.kind.decide(
        labels, np.array([[2.5], [4.9], [3.1]], "float32"), Calibration(interval=Interval(0.9, 0.4))
    )
    assert ops.convert_to_numpy(decided["lower"]).tolist() == [2, 5, 3]
    assert ops.convert_to_numpy(decided["upper"]).tolist() == [2, 5, 3]
    numbers = Labels("regression", (), 3.0, 1.0, "none", (1, 5))
    decided = numbers.kind.decide(
        numbers, np.array([[4.9]], "float32"), Calibration(interval=Interval(0.9, 0.4))
    )
    assert ops.convert_to_numpy(decided["upper"]) == pytest.approx([5.3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coverage": 1.0}, "coverage=1.0"),
        ({"min_precision": 0.9, "min_recall": 0.9}, "Set one"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(SettingError, match=message):
        CalibrationOptions(**options)
