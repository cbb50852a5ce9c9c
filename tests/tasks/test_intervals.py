"""How sure a score is."""

import numpy as np
import pytest

from kerasft.tasks import Labels, task_of
from kerasft.tasks.intervals import paired_interval, score_interval


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


RANDOM = np.random.default_rng(0)
TRUTH = {
    "classification": RANDOM.integers(0, 3, 200),
    "multilabel": (RANDOM.random((200, 3)) < 0.4).astype("float32"),
    "regression": RANDOM.normal(size=200),
}


def predictions(task, seed):
    """Returns predictions of which about a fifth are wrong."""
    random, truth = np.random.default_rng(seed), TRUTH[task]
    if task == "regression":
        return truth + random.normal(0, 0.3, 200)
    wrong = random.random(truth.shape) < 0.2
    other = (truth + 1) % 3 if task == "classification" else 1 - truth
    found = np.where(wrong, other, truth)
    return found > 0 if task == "multilabel" else found


@pytest.mark.parametrize("task", sorted(TRUTH))
def test_a_weighted_score_is_the_score_of_repeated_examples(task):
    kind, y, predicted = task_of(task), TRUTH[task], predictions(task, 1)
    labels = Labels(task, () if task == "regression" else ("a", "b", "c"))
    rows = RANDOM.integers(0, 200, 200)
    weights = np.stack([np.ones(200), np.bincount(rows, minlength=200)])
    expected = [kind.score(labels, *part)[kind.main_metric]
                for part in ((y, predicted), (y[rows], predicted[rows]))]  # fmt: skip
    assert kind.weighted_scores(y, predicted, weights) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("task", sorted(TRUTH))
def test_the_same_examples_make_a_difference_sure(task):
    kind, y, one = task_of(task), TRUTH[task], predictions(task, 1)
    low, high = paired_interval(kind, y, one, one)
    assert low <= 0 <= high
    assert high - low < 0.02  # Agresti and Min: two halves of an example of 202
    low, high = paired_interval(kind, y, one, y > 0 if task == "multilabel" else y)
    assert (low > 0) if task == "regression" else (high < 0)


def test_a_paired_interval_covers_the_true_difference():
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        y = np.zeros(150, int)
        both = random.random(150) < 0.05
        one, other = (both | (random.random(150) < share) for share in (0.08, 0.04))
        low, high = paired_interval(task_of("classification"), y, one * 1, other * 1)
        covered += low <= -0.95 * 0.04 <= high
    assert 0.92 <= covered / 200 <= 0.99
