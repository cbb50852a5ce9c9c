"""The whole way: built-in sets, examples of a recipe, and what a fit relies on."""

import dataclasses

import numpy as np
import pytest

from kerasft.config import Config, ImageConfig, TextConfig
from kerasft.data import (
    Examples,
    Labels,
    encode_examples,
    load_data,
    prepare_data,
    prepare_inputs,
    read_dataset,
)
from kerasft.errors import DataError, SettingError


def test_digits_come_without_a_network():
    data = load_data(ImageConfig(dataset="builtin:digits", image_size=16))
    assert data.labels.names == tuple("0123456789")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1257, 270, 270]
    assert data.train.x.shape == (1257, 16, 16, 3)
    assert data.train.x.dtype == np.uint8
    assert data.train.x.max() == 255
    assert data.train.y.dtype == np.int32


def test_tickets_are_a_table_like_any_other():
    tickets = read_dataset(TextConfig(dataset="builtin:tickets"))["train"]
    assert len(tickets) >= 600
    assert len(set(tickets.labels)) == 8
    urgency = read_dataset(
        TextConfig(dataset="builtin:tickets", task="regression", label_column="urgency")
    )["train"]
    assert all(isinstance(value, float) for value in urgency.labels)


def test_an_unknown_built_in_set_brings_the_nearest():
    with pytest.raises(
        DataError, match=r"'digit' not found\. Did you mean 'digits'\?.*builtin:tickets"
    ):
        load_data(ImageConfig(dataset="builtin:digit"))


def test_a_built_in_set_of_the_other_kind_is_refused():
    with pytest.raises(DataError, match="Use a recipe for images"):
        load_data(TextConfig(dataset="builtin:digits"))
    with pytest.raises(DataError, match="Use a recipe for texts"):
        load_data(ImageConfig(dataset="builtin:tickets"))


def test_a_built_in_set_names_the_tasks_that_fit_it():
    for name, tasks in [("digits", "classification, regression or ordinal"), ("glyphs", "class")]:
        with pytest.raises(DataError, match=f"multilabel, but builtin:{name}.*--task {tasks}"):
            load_data(ImageConfig(dataset=f"builtin:{name}", task="multilabel"))


def test_two_loads_are_equal(pets):
    config = ImageConfig(dataset=str(pets), image_size=8)
    one, two = load_data(config), load_data(config)
    assert one.fingerprint == two.fingerprint
    assert (one.train.x == two.train.x).all()
    assert (one.train.y == two.train.y).all()


def test_the_fingerprint_follows_labels_and_splits(pets):
    config = ImageConfig(dataset=str(pets), image_size=8)
    base = load_data(config).fingerprint
    assert load_data(dataclasses.replace(config, image_size=16)).fingerprint == base
    assert load_data(dataclasses.replace(config, seed=1)).fingerprint != base
    (pets / "cat").rename(pets / "cow")
    assert load_data(config).fingerprint != base


def test_a_recipe_can_bring_its_own_examples():
    rng = np.random.default_rng(0)
    images = list(rng.integers(0, 256, (40, 9, 9), dtype=np.uint8))
    examples = Examples(images, [i % 2 for i in range(40)], [str(i) for i in range(40)])
    data = prepare_data(ImageConfig(image_size=8), {"train": examples})
    assert data.labels.names == ("0", "1")
    assert data.train.x.shape == (28, 8, 8, 3)
    with pytest.raises(DataError, match="Received: dev"):
        prepare_data(ImageConfig(), {"train": examples, "dev": examples})


def test_labels_are_checked_before_the_first_image_is_decoded(tmp_path):
    gone = Examples([b"no image"] * 4, ["a"] * 4, list("1234"))
    parts = {"train": gone, "validation": gone, "test": gone}
    with pytest.raises(DataError, match="only one class"):
        prepare_data(ImageConfig(), parts)


def test_examples_without_labels_are_only_for_prediction():
    unknown = Examples([np.zeros((8, 8), np.uint8)], None, ["x"])
    with pytest.raises(DataError, match="x has no label"):
        prepare_data(ImageConfig(), {"train": unknown})
    assert prepare_inputs(ImageConfig(image_size=8), unknown).shape == (1, 8, 8, 3)


def test_other_data_are_encoded_with_the_labels_of_the_model():
    examples = Examples([np.zeros((8, 8), np.uint8)] * 2, ["b", "a"], ["x", "y"])
    labels = Labels("classification", ("a", "b", "c"))
    assert encode_examples(ImageConfig(), examples, labels).tolist() == [1, 0]
    with pytest.raises(DataError, match="y has the label 'a'"):
        encode_examples(ImageConfig(), examples, Labels("classification", ("b", "c")))


def test_a_config_must_say_what_it_takes():
    with pytest.raises(SettingError, match="ImageConfig or TextConfig"):
        prepare_inputs(Config(), Examples(["x"], None, ["x"]))


def test_regression_and_several_labels_from_tables(write, preset):
    text = "text,score,spam,rude\n" + "".join(
        f"text number {i},{i / 2},{i % 2},{i % 3 // 2}\n" for i in range(60)
    )
    path = write("a.csv", text)
    config = TextConfig(dataset=path, preset=preset("bert"), task="regression")
    data = load_data(config)
    assert data.labels.mean == pytest.approx(data.train.y.mean())
    assert data.train.y.dtype == np.float32
    config = dataclasses.replace(config, task="multilabel", label_column="spam,rude")
    data = load_data(config)
    assert data.labels.names == ("rude", "spam")
    assert data.train.y.shape == (42, 2)
