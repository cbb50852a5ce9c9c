"""Scores of predictions, counted by hand."""

import json

import numpy as np
import pytest
from scipy import stats

from kerasft.cli.score_tables import score_line
from kerasft.config import Config
from kerasft.data import Labels
from kerasft.data.examples import Examples
from kerasft.data.label_encoding import make_labels
from kerasft.evaluation.metrics import measure
from kerasft.models import MacroScore

STARS = Labels("regression", (), 3.0, 1.0, scale=(1, 5))


def scores(y, predicted, labels=STARS):
    return measure(
        Config(task="regression"), labels, np.array(y, "float32"),
        np.array(predicted, "float32").reshape(-1, 1),
    )  # fmt: skip


def test_classes_in_an_order_are_counted_as_classes_too():
    found = scores([1, 2, 3, 4, 5, 5], [1.2, 2.6, 2.9, 1.4, 4.4, 5.8])  # 1, 3, 3, 1, 4, 5: no 6
    assert found["accuracy_rounded"] == pytest.approx(3 / 6)
    assert found["within_one"] == pytest.approx(5 / 6)
    # 1 - observed over expected squared distance (Cohen 1968), from the counts of both sides.
    truth, rounded = np.array([1, 2, 3, 4, 5, 5]), np.array([1, 3, 3, 1, 4, 5])
    observed = np.mean((truth - rounded) ** 2)
    expected = np.mean((truth[:, None] - rounded) ** 2)
    assert found["kappa"] == pytest.approx(1 - observed / expected)


def test_the_scale_is_that_of_the_training_split():
    found = scores([3, 4], [1, 5])  # both are answers that stars can have
    assert found["accuracy_rounded"] == 0
    assert found["within_one"] == 0.5
    # 3 and 4 do not occur; from 2 to 5 it is as far as ever.
    truth, answers = np.array([1, 1, 2, 2, 5, 5]), np.array([1, 1, 2, 5, 5, 5])
    observed = np.mean((truth - answers) ** 2)
    expected = np.mean((truth[:, None] - answers) ** 2)
    assert scores(truth, answers)["kappa"] == pytest.approx(1 - observed / expected)
    alike = scores([4, 4], [4.1, 3.8])
    assert alike["accuracy_rounded"] == 1 and np.isnan(alike["kappa"])


@pytest.mark.parametrize("y", [[1, 2.5, 3], list(range(30)), [869500, 1200000, 615000]])
def test_other_numbers_are_no_classes(y):
    examples = Examples(["a"] * len(y), y, [f"row {n}" for n in range(len(y))])
    labels = make_labels(Config(task="regression"), examples)
    assert not {"accuracy_rounded", "within_one", "kappa"} & set(scores(y, y, labels))


def test_half_a_star_is_no_class():
    assert "kappa" not in scores([1, 2.5, 3], [1, 2, 3])


def test_whole_numbers_that_are_near_are_classes():
    examples = Examples(["a"] * 4, [2.0, 5.0, 1.0, 4.0], ["a"] * 4)
    labels = make_labels(Config(task="regression"), examples)
    assert labels.scale == (1, 5)
    assert Labels.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels


def test_labels_that_do_not_occur_have_no_part_in_the_mean():
    labels = Labels("multilabel", ("a", "b", "c"))
    y = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], "float32")  # no c, and none is predicted
    predicted = np.array([[0.9, 0.1, 0.1], [0.8, 0.2, 0.3], [0.1, 0.7, 0.2]], "float32")
    found = measure(Config(task="multilabel"), labels, y, predicted)
    assert found["recall"] == pytest.approx((1 + 1 / 2) / 2)
    metric = MacroScore("recall", 3, multilabel=True, name="recall")
    metric.update_state(y, predicted)
    assert found["recall"] == pytest.approx(float(metric.result()))
    nothing = measure(Config(task="multilabel"), labels, 0 * y, 0 * predicted)
    assert nothing["f1"] == 0


@pytest.mark.parametrize(
    ("y", "predicted"),
    [
        ([1, 2, 3, 4, 5], [1.5, 1.0, 2.5, 4.5, 3.0]),
        ([1, 2, 2, 4, 4, 4], [0.5, 0.5, 3.0, 2.0, 2.0, 5.0]),  # ties on both sides
        ([1e6, 1e6 + 1, 1e6 + 2], [3.0, 2.0, 2.0]),  # small differences of large numbers
    ],
)
def test_correlations_are_those_of_scipy(y, predicted):
    found = scores(y, predicted, Labels("regression", (), 0.0, 1.0))
    assert found["pearson"] == pytest.approx(stats.pearsonr(y, predicted).statistic)
    ranks = stats.rankdata(y), stats.rankdata(predicted)  # mean ranks of ties
    assert found["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert "pearson" in score_line("regression", found)


@pytest.mark.parametrize(("y", "predicted"), [([1, 2, 4], [3.1] * 3), ([2.7] * 3, [1, 2, 3]),
                                              ([1], [1])])  # fmt: skip
def test_a_constant_side_has_no_correlation(y, predicted):
    found = scores(y, predicted, Labels("regression", (), 0.0, 1.0))
    assert not {"pearson", "spearman"} & set(found)
    assert found["rmse"] >= 0
