"""How sure a score is."""

import numpy as np
import pytest

from kerasft.insight.facts import Facts
from kerasft.insight.intervals import score_interval


def facts(task, metrics):
    return Facts(
        state="done", reason="", task=task, settings={}, changed={}, defaults={}, recipe="",
        rows=[], counts={"test": 400}, audit={}, metrics={"test": metrics}, best_epoch=None,
    )  # fmt: skip


def test_an_accuracy_has_wilsons_interval():
    low, high = score_interval(facts("classification", {"accuracy": 0.9}), {}, "test")
    assert (low, high) == (pytest.approx(0.867, abs=1e-3), pytest.approx(0.926, abs=1e-3))


def test_numbers_have_the_interval_of_draws():
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 2.0, 400)
    arrays = {"outputs_test": errors[:, None], "y_test": np.zeros(400)}
    rmse = float(np.sqrt((errors**2).mean()))
    low, high = score_interval(facts("regression", {"rmse": rmse}), arrays, "test")
    assert low < rmse < high
    # The standard error of a normal sample's deviation is sigma / sqrt(2 n).
    assert high - low == pytest.approx(4 * 2.0 / np.sqrt(800), rel=0.2)


def test_a_score_without_outputs_has_no_interval():
    assert score_interval(facts("regression", {"rmse": 1.0}), {}, "test") is None
    assert score_interval(facts("multilabel", {"f1": 0.5}), {}, "test") is None
    assert score_interval(facts("classification", {}), {}, "test") is None
