"""How sure a score is."""

import numpy as np
import pytest

from kerasft.tasks import task_of
from kerasft.tasks.intervals import score_interval


def test_an_accuracy_has_wilsons_interval():
    low, high = score_interval(task_of("classification"), 0.9, 400)
    assert (low, high) == (pytest.approx(0.867, abs=1e-3), pytest.approx(0.926, abs=1e-3))


@pytest.mark.parametrize("task", ["ordinal", "regression"])
def test_numbers_have_the_interval_of_draws(task):
    errors = np.random.default_rng(1).normal(0, 2.0, 400)
    rmse = float(np.sqrt((errors**2).mean()))
    low, high = score_interval(task_of(task), rmse, 400, np.zeros(400), errors[:, None])
    assert low < rmse < high
    # The standard error of a normal sample's deviation is sigma / sqrt(2 n).
    assert high - low == pytest.approx(4 * 2.0 / np.sqrt(800), rel=0.2)


def test_a_score_without_outputs_has_no_interval():
    assert score_interval(task_of("regression"), 1.0, 400) is None
    assert score_interval(task_of("multilabel"), 0.5, 400) is None
