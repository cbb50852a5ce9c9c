"""The score of known inputs, from features."""

import numpy as np
import pytest
from keras import ops
from sklearn.covariance import ledoit_wolf

from kerasft.calibration.feature_bank import MOST, bank_rows, fit_feature_bank
from kerasft.calibration.known import known_scores, score_parts


def features(seed, count, number=6, width=24):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(number, width))
    y = rng.integers(0, number, count)
    return (centers[y] + 0.4 * rng.normal(size=(count, width))).astype("float32"), y


def units(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def probabilities(x, number=6):
    """Return those of a classifier by the nearest center."""
    centers = np.random.default_rng(99).normal(size=(number, x.shape[1]))
    logits = -np.square(x[:, None] - centers).sum(axis=2)
    return ops.convert_to_numpy(ops.softmax(logits.astype("float32"), axis=-1))


@pytest.mark.parametrize("with_classes", [True, False])
def test_foreign_inputs_have_lower_scores(with_classes):
    def scores(x):
        given = probabilities(x) if with_classes else None
        return ops.convert_to_numpy(known_scores(arrays, x, given))

    train, y = features(0, 300)
    validation, _ = features(1, 100)
    given = probabilities(validation) if with_classes else None
    arrays = fit_feature_bank(train, y if with_classes else None, validation, given)
    assert len(arrays["location"]) == (3 if with_classes else 1)
    assert ("directions" in arrays) == with_classes
    known = scores(features(2, 200)[0])
    foreign = np.random.default_rng(3).normal(size=(200, 24)).astype("float32")
    unknown = scores(foreign)
    assert (known[:, None] > unknown).mean() > 0.97
    found = scores(validation)
    assert found.mean() == pytest.approx(0, abs=1e-3)


def test_the_distance_in_few_directions_is_that_in_all():
    train, y = features(0, 300)
    new, _ = features(5, 50)
    part = ops.convert_to_numpy(score_parts(fit_feature_bank(train, y, new), new)[1])
    x, z = units(train), units(new)
    centers = np.stack([x[y == each].mean(axis=0) for each in range(6)])
    within = ledoit_wolf(x - centers[y], assume_centered=True)[0]
    share = np.bincount(y) / len(y)
    between = (centers - x.mean(axis=0)).T @ np.diag(share) @ (centers - x.mean(axis=0))

    def distance(center, covariance):
        shifted = z - center
        return (shifted @ np.linalg.inv(covariance) * shifted).sum(axis=1)

    nearest = np.min([distance(center, within) for center in centers], axis=0)
    expected = distance(x.mean(axis=0), within + between) - nearest
    assert part == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_sure_answers_have_higher_scores():
    train, y = features(0, 300)
    validation, _ = features(1, 100)
    arrays = fit_feature_bank(train, y, validation, probabilities(validation))
    same = np.repeat(validation[:1], 2, axis=0)
    sure, unsure = known_scores(arrays, same, np.array([[1, 0, 0, 0, 0, 0], [1 / 6] * 6]))
    assert float(sure) > float(unsure)


def test_rounding_errors_are_not_divided_by_their_own_spread():
    train, y = features(0, 300)
    validation, _ = features(1, 100)
    sure = np.eye(6, dtype="float32")[np.arange(100) % 6] * (1 - 6e-6) + 1e-6
    sure[0] = [1, 0, 0, 0, 0, 0]
    arrays = fit_feature_bank(train, y, validation, sure)
    rounded = np.nextafter(sure, 2, dtype="float32")
    scores = [ops.convert_to_numpy(known_scores(arrays, validation, p)) for p in (sure, rounded)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)  # as a proof allows


def test_the_bank_is_small_and_the_same_each_time():
    assert len(bank_rows(10, None)) == 10
    assert len(bank_rows(100_000, None)) == MOST
    train, y = features(0, 900)
    first, second = (fit_feature_bank(train, y, train[:50]) for _ in range(2))
    assert len(first["memory"]) == 6 * 50
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("classes", [np.arange(20), np.zeros(20, int)])
def test_classes_without_a_spread_leave_the_nearest_example(classes):
    train, _ = features(0, 20)
    arrays = fit_feature_bank(train, classes, train)
    assert "directions" not in arrays
    assert np.isfinite(ops.convert_to_numpy(known_scores(arrays, train))).all()


def test_a_rare_class_is_in_the_bank():
    classes = np.zeros(100_000, int)
    classes[[17, 71_003, 71_005]] = 1
    rows = bank_rows(len(classes), classes)
    assert {17, 71_003, 71_005} <= set(rows)
    assert len(rows) <= 2 * MOST
    assert (np.diff(rows) > 0).all()
