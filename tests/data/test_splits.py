"""Splits that are made."""

import random
from collections import Counter

import numpy as np
import pytest

from kerasft.config import TextConfig
from kerasft.data import Examples, make_splits
from kerasft.errors import DataError


def examples(labels, texts=None):
    texts = texts or [f"text {i}" for i in range(len(labels))]
    return Examples(texts, list(labels), [f"row {i}" for i in range(len(labels))])


def split(labels, texts=None, **settings):
    return make_splits({"train": examples(labels, texts)}, TextConfig(**settings))


def test_fractions_are_those_of_all_examples():
    parts = split(["a", "b"] * 500, validation_fraction=0.1, test_fraction=0.2)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 700,
        "validation": 100,
        "test": 200,
    }


def test_every_example_is_in_one_split():
    parts = split(["a", "b", "c"] * 50)
    origins = [origin for part in parts.values() for origin in part.origins]
    assert sorted(origins) == sorted(f"row {i}" for i in range(150))


def test_classes_have_equal_shares():
    parts = split(["a"] * 400 + ["b"] * 100 + ["c"] * 20)
    assert Counter(parts["test"].labels) == {"a": 60, "b": 15, "c": 3}
    assert Counter(parts["validation"].labels) == {"a": 60, "b": 15, "c": 3}


def test_many_small_classes_fill_the_splits():
    parts = split([str(i // 2) for i in range(200)])
    assert len(parts["test"]) == 30
    assert len(parts["validation"]) == 30
    assert set(parts["train"].labels) == {str(i) for i in range(100)}


def test_a_class_with_one_example_keeps_it_for_training():
    parts = split(["a"] * 50 + ["b"] * 50 + ["c"])
    assert "c" in parts["train"].labels


def test_numeric_targets_are_divided_by_quantile():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=1000)).tolist()
    parts = split(values, task="regression")
    for quantile in (0.1, 0.5, 0.9):
        found = np.quantile(parts["test"].labels, quantile)
        assert found == pytest.approx(np.quantile(values, quantile), rel=0.1)


def test_sets_of_labels_have_equal_shares_and_every_label_is_trained():
    labels = [("a",)] * 100 + [("a", "b")] * 100 + [()] * 100 + [("c", "d")] + [("d", "e")]
    parts = split(labels, task="multilabel")
    assert {name for row in parts["train"].labels for name in row} == set("abcde")
    assert Counter(parts["test"].labels)[("a", "b")] == 15
    assert Counter(parts["test"].labels)[()] == 15


def test_sets_of_labels_that_never_repeat_are_divided_too():
    labels = [tuple(sorted({str(i), str(i + 1)})) for i in range(60)] * 1
    parts = split(labels, task="multilabel")
    assert {name for row in parts["train"].labels for name in row} == {str(i) for i in range(61)}
    assert len(parts["test"]) > 0


def test_duplicates_stay_on_one_side():
    texts = [f"text {i // 3}" for i in range(300)]
    texts[1::3] = [f"  {text}\n" for text in texts[1::3]]  # white space outside does not count
    parts = split(["a", "b", "b"] * 100, texts)
    kinds = [{text.strip() for text in part.inputs} for part in parts.values()]
    assert not kinds[0] & kinds[1]
    assert not kinds[0] & kinds[2]
    assert not kinds[1] & kinds[2]
    assert len(parts["test"]) == 45


def test_composed_and_decomposed_letters_are_duplicates():
    one, two = examples(["a"], ["caf\u00e9"]), examples(["a"], ["cafe\u0301"])
    assert one.content_hashes == two.content_hashes


def test_the_seed_decides():
    one, two, three = (split(["a", "b"] * 50, seed=seed) for seed in (0, 0, 1))
    assert one["test"].origins == two["test"].origins
    assert one["validation"].origins == two["validation"].origins
    assert one["test"].origins != three["test"].origins


def test_the_order_of_the_examples_does_not_matter():
    labels = [("a", "b", "c")[i % 3] for i in range(100)]
    order = list(range(100))
    random.Random(0).shuffle(order)
    whole = examples(labels)
    one = make_splits({"train": whole}, TextConfig())
    two = make_splits({"train": whole.select(order)}, TextConfig())
    for name in one:
        assert sorted(one[name].origins) == sorted(two[name].origins)


def test_given_splits_do_not_change():
    given = {"train": examples(["a", "b"] * 50), "test": examples(["a", "b"])}
    parts = make_splits(given, TextConfig())
    assert parts["test"] is given["test"]
    assert len(parts["validation"]) == 15
    assert len(parts["train"]) == 85
    given["validation"] = examples(["b", "a"])
    parts = make_splits(given, TextConfig())
    assert parts["train"] is given["train"]
    assert list(parts) == ["train", "validation", "test"]


def test_too_few_examples_are_refused():
    with pytest.raises(DataError, match=r"Too few training examples \(2\) to split off 15% for t"):
        split(["a", "b"])


def test_training_examples_are_needed():
    with pytest.raises(DataError, match=r"no training split \(splits: test\)\. .*--train-split"):
        make_splits({"test": examples(["a", "b"])}, TextConfig())
    with pytest.raises(DataError, match="The test split of x has no examples"):
        make_splits({"train": examples(["a", "b"]), "test": examples([])}, TextConfig(dataset="x"))


def test_parts_that_differ_in_length_are_refused():
    with pytest.raises(DataError, match=r"must have the same length\. Received: 2, 1 and 2"):
        Examples(["x", "y"], ["a"], ["1", "2"])


def test_large_groups_of_duplicates_do_not_empty_a_split():
    texts = ["same"] * 60 + [f"text {i}" for i in range(40)]
    parts = split(["a"] * 60 + ["b"] * 40, texts)
    assert parts["train"].inputs.count("same") == 60
    assert len(parts["test"]) == 15


def test_numbers_as_classes_get_the_hint_of_regression():
    labels = [f"{i / 7:.3f}" for i in range(30)]
    examples = Examples([f"text {i}" for i in range(30)], labels, [f"row {i}" for i in range(30)])
    with pytest.raises(DataError, match=r"labels are numbers.*--task regression"):
        make_splits({"train": examples}, TextConfig(dataset="x"))
