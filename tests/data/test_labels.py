"""Labels: classes, targets, and what they are encoded to."""

import json

import numpy as np
import pytest

from kerasft.config import TextConfig
from kerasft.data import Examples, Labels, encode
from kerasft.data.label_encoding import make_labels, normalize_labels
from kerasft.errors import DataError
from kerasft.tasks.labels import sort_names


def made(labels, task="classification", **settings):
    config = TextConfig(task=task, dataset="x.csv", **settings)
    examples = Examples(["t"] * len(labels), labels, [f"row {i}" for i in range(len(labels))])
    return make_labels(config, normalize_labels(config, examples))


def test_names_are_sorted_by_letter_or_number():
    assert sort_names(["b", "a", "b"]) == ("a", "b")
    assert sort_names(["10", "9", "-1"]) == ("-1", "9", "10")
    assert sort_names(["10", "9", "x"]) == ("10", "9", "x")


def test_whole_numbers_become_names():
    assert made([10, 9, np.int64(10)]).names == ("9", "10")


def test_labels_survive_json():
    for labels in (Labels("classification", ("a", "b")), Labels("regression", (), 2.5, 0.5)):
        assert Labels.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels


def test_outputs_are_counted():
    assert Labels("classification", ("a", "b")).num_outputs == 2
    assert Labels("regression", ()).num_outputs == 1


def test_one_class_is_refused():
    with pytest.raises(DataError, match=r"x\.csv has only one class \('cat'\)"):
        made(["cat", "cat"])
    with pytest.raises(DataError, match="has no labels"):
        made([(), ()], "multilabel")


def test_mean_and_deviation_are_those_of_the_target():
    labels = made([1, 2, 6], "regression")
    assert (labels.mean, labels.std) == pytest.approx((3.0, np.std([1, 2, 6])))


def test_a_logarithm_is_standardised_and_survives_json():
    labels = made([1.0, np.e, np.e**5], "regression", target_transform="log")
    assert (labels.mean, labels.std) == pytest.approx((2.0, np.std([0, 1, 5])))
    assert Labels.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels
    assert encode(labels, [3.0]).tolist() == [3.0]


def test_a_target_without_a_logarithm_is_named():
    with pytest.raises(DataError, match=r"row 1 is .*, but must be above 0"):
        made([1.0, 0.0, 2.0], "regression", target_transform="log")
    with pytest.raises(DataError, match=r"row 9 is .*, but must be above 0"):
        encode(Labels("regression", (), 0.0, 1.0, "log"), [-1.0], ["row 9"])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_a_constant_target_is_refused(value):
    with pytest.raises(DataError, match=r"The target of x\.csv is constant"):
        made([value] * 7, "regression")


def test_classes_are_encoded_by_position():
    y = encode(Labels("classification", ("a", "b", "c")), ["c", "a"])
    assert y.dtype == np.int32
    assert y.tolist() == [2, 0]


def test_several_labels_are_encoded_as_zeros_and_ones():
    y = encode(Labels("multilabel", ("a", "b", "c")), [("c", "a"), ()])
    assert y.dtype == np.float32
    assert y.tolist() == [[1, 0, 1], [0, 0, 0]]


def test_targets_stay_in_their_unit():
    y = encode(Labels("regression", (), 100.0, 10.0), [90.0, 120.0])
    assert y.dtype == np.float32
    assert y.tolist() == [90.0, 120.0]


@pytest.mark.parametrize(("task", "wrong"), [("classification", "dgo"), ("multilabel", ("dgo",))])
def test_an_unknown_label_is_named_with_its_origin(task, wrong):
    with pytest.raises(DataError, match=r"row 7 of x\.csv .*'dgo'.*Did you mean 'dog'"):
        encode(Labels(task, ("cat", "dog")), [wrong], ["row 7 of x.csv"])


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("classification", ("a",)),
        ("classification", None),
        ("multilabel", "a"),
        ("regression", "a"),
    ],
)
def test_a_label_that_does_not_fit_the_task_is_refused(task, wrong):
    with pytest.raises(DataError, match="row 0"):
        made([wrong], task)
