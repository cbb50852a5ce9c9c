"""Splits that are made."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import Examples, load_data, make_splits, read_splits
from kerasft.data.splits import limit_examples
from kerasft.errors import DataError, SettingError


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


def test_the_seed_of_the_splits_is_another_than_that_of_the_training():
    one, two = (split(["a", "b"] * 50, seed=seed, split_seed=3) for seed in (0, 1))
    three = split(["a", "b"] * 50, seed=3)
    assert one["validation"].origins == two["validation"].origins == three["validation"].origins
    assert one["validation"].origins != split(["a", "b"] * 50, seed=0)["validation"].origins


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
    with pytest.raises(DataError, match=r"Too few training examples \(2\) .* Add examples, or p"):
        split(["a", "b"])


def test_too_few_distinct_examples_are_refused():
    with pytest.raises(DataError, match=r"distinct .* \(2 of 100\) .*, raise `test_fraction`, or"):
        split(["a", "b"] * 50, ["x", "y"] * 50)


def test_training_examples_are_needed():
    with pytest.raises(DataError, match=r"no training split \(splits: test\)\. .*`train_split`"):
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


def limited(labels, **settings):
    parts, _ = limit_examples({"train": examples(labels)}, TextConfig(**settings))
    return parts["train"]


def test_a_part_of_the_examples_has_the_same_shares_of_classes():
    labels = ["a"] * 400 + ["b"] * 100
    assert Counter(limited(labels, fraction=0.1).labels) == {"a": 40, "b": 10}
    assert Counter(limited(labels, max_examples=100).labels) == {"a": 80, "b": 20}
    assert len(limited(labels, max_examples=501)) == len(limited(labels)) == 500


def test_a_part_has_an_example_of_each_class_for_every_split():
    labels = ["a"] * 400 + ["b"] * 5 + ["c"]
    part = limited(labels, fraction=0.05)
    assert Counter(part.labels) == {"a": 20, "b": 3, "c": 1}
    parts = make_splits({"train": part}, TextConfig())
    assert set(parts["train"].labels) == {"a", "b", "c"}
    given = {name: examples(labels) for name in ("train", "validation", "test")}
    found, notes = limit_examples(given, TextConfig(max_examples=61))
    assert Counter(found["train"].labels) == {"a": 20, "b": 1, "c": 1}
    assert found["train"].origins == found["test"].origins
    assert notes == ["For a quick try, 66 of 1,218 examples are used."]


def test_a_part_of_several_labels_has_each_of_them():
    labels = [("a",), ("a", "b"), ()] * 50 + [("a", "c")]
    part = limited(labels, task="multilabel", fraction=0.1)
    assert {name for names in part.labels for name in names} == {"a", "b", "c"}
    assert 15 <= len(part) <= 18


def test_a_part_of_numbers_covers_their_range():
    part = limited([float(number) for number in range(1000)], task="regression", fraction=0.02)
    assert Counter(int(number) // 100 for number in part.labels) == dict.fromkeys(range(10), 2)


def test_a_larger_part_contains_the_smaller_one_of_the_same_seed():
    labels = ["a", "b"] * 100
    small, large, other = (
        set(limited(labels, **settings).origins)
        for settings in ({"fraction": 0.1}, {"fraction": 0.3}, {"fraction": 0.1, "seed": 1})
    )
    assert small < large
    assert len(other) == len(small) and other != small


def test_one_setting_limits_the_examples():
    with pytest.raises(SettingError, match=r"`max_examples` is 10 and `fraction` is 0\.5, but one"):
        TextConfig(max_examples=10, fraction=0.5)
    for wrong in ({"fraction": 0}, {"fraction": 1.5}, {"max_examples": -1}):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            TextConfig(**wrong)


def test_files_that_are_left_out_are_not_read(photos, monkeypatch):
    opened, open_file = set(), Path.open

    def count(path, *args, **kwargs):
        if path.is_relative_to(photos):  # not the free memory of the machine
            opened.add(path)
        return open_file(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", count)
    config = ImageConfig(dataset=photos, image_size=8, max_examples=18)
    data = load_data(config)
    assert len(data.train) + len(data.validation) + len(data.test) == len(opened) == 18
    assert "For a quick try, 18 of 36 examples are used." in data.notes
    assert read_splits(config)["test"].origins == data.test.examples.origins
    whole = load_data(ImageConfig(dataset=photos, image_size=8))
    assert whole.fingerprint != data.fingerprint
