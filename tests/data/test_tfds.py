"""TensorFlow Datasets, from the disk and mocked."""

import time

import numpy as np
import pytest

from kerasft import dataset_check
from kerasft.config import ImageConfig, TextConfig
from kerasft.data import load_data, read_dataset
from kerasft.errors import DataError, NetworkError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a function that stores a dataset as TFDS does, and the folder it stores in."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tfds")

    def put(name, features, rows, version="1.0.0", config=None):
        if not (root / name / (config or "") / version).exists():
            tfds.dataset_builders.store_as_tfds_dataset(
                name=name,
                version=version,
                config=config,
                data_dir=root,
                features=tfds.features.FeaturesDict(features),
                split_datasets={split: enumerate(part) for split, part in rows.items()},
                disable_shuffling=True,
            )
        return str(root)

    return put


@pytest.fixture
def photos(store):
    import tensorflow_datasets as tfds

    def rows(count, offset):
        return [
            {"image": np.full((9 + i % 3, 12, 3), i + offset, np.uint8), "label": i % 2}
            for i in range(count)
        ]

    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["dog", "cat"]),
    }
    return store("photos", features, {"train": rows(20, 0), "test": rows(6, 100)})


@pytest.fixture
def pairs(store):
    import tensorflow_datasets as tfds

    features = {
        "sentence1": tfds.features.Text(),
        "sentence2": tfds.features.Text(),
        "label": tfds.features.ClassLabel(names=["no", "yes"]),
        "score": np.float32,
        "topics": tfds.features.Sequence(tfds.features.ClassLabel(names=["x", "y", "z"])),
    }
    rows = [
        {
            "sentence1": f"один {i}",
            "sentence2": f"zwei {i}",
            "label": i % 2,
            "score": i / 4,
            "topics": [i % 3, 0],
        }
        for i in range(8)
    ]
    hidden = [{**row, "label": -1} for row in rows]
    return store("pairs", features, {"train": rows, "validation": rows[:2], "test": hidden})


def test_images_stay_files_and_classes_have_names(photos):
    splits = read_dataset(ImageConfig(dataset="tfds:photos", data_dir=photos))
    assert set(splits) == {"train", "test"}
    assert splits["train"].inputs[0].startswith(b"\x89PNG")
    assert splits["train"].labels[:3] == ["dog", "cat", "dog"]
    assert splits["test"].origins[5] == "test, example 5"


def test_the_whole_way_from_disk(photos):
    data = load_data(ImageConfig(dataset="tfds:photos:1.0.0", data_dir=photos, image_size=8))
    assert data.labels.names == ("cat", "dog")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [17, 3, 6]
    assert data.test.x[3, 0, 0].tolist() == [103] * 3


def test_slices_are_those_of_tfds(photos):
    config = ImageConfig(
        dataset="tfds:photos",
        data_dir=photos,
        train_split="train[:80%]",
        validation_split="train[80%:]",
    )
    splits = read_dataset(config)
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 16,
        "validation": 4,
        "test": 6,
    }


def test_overlapping_slices_have_a_note(photos):
    config = ImageConfig(
        dataset="tfds:photos",
        data_dir=photos,
        image_size=8,
        train_split="train[:80%]",
        validation_split="train[70%:]",
    )
    assert any("2 examples of the validation split are also" in n for n in load_data(config).notes)


@pytest.mark.parametrize(
    ("split", "message"),
    [("tset", "no split 'tset' .* Did you mean 'test'?"), ("train[:x]", r"'train\[:x\]' of .*can")],
)
def test_a_split_that_is_not_there_is_named(photos, split, message):
    config = ImageConfig(dataset="tfds:photos", data_dir=photos, test_split=split)
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        read_dataset(config)


def test_two_texts_are_a_pair(pairs):
    config = TextConfig(dataset="tfds:pairs", data_dir=pairs, test_split="validation")
    splits = read_dataset(config)
    assert set(splits) == {"train", "test"}  # the validation split is claimed
    assert splits["train"].inputs[0] == ("один 0", "zwei 0")
    assert splits["train"].labels[:2] == ["no", "yes"]


def test_features_can_be_named(pairs):
    config = TextConfig(
        dataset="tfds:pairs",
        data_dir=pairs,
        test_split="validation",
        text_column="sentence2",
        label_column="score",
        task="regression",
    )
    train = read_dataset(config)["train"]
    assert train.inputs[0] == "zwei 0"
    assert train.labels[:3] == [0.0, 0.25, 0.5]


def test_a_sequence_of_classes_is_several_labels(pairs):
    config = TextConfig(
        dataset="tfds:pairs",
        data_dir=pairs,
        test_split="validation",
        label_column="topics",
        task="multilabel",
    )
    assert read_dataset(config)["train"].labels[:2] == [("x",), ("x", "y")]


def test_hidden_labels_are_refused(pairs):
    with pytest.raises(DataError, match=r"split 'test' .*hidden \(-1\).*test_split=validation"):
        read_dataset(TextConfig(dataset="tfds:pairs", data_dir=pairs))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ImageConfig, {}, "tfds:pairs has no image features"),
        (
            TextConfig,
            {"text_column": "sentence"},
            "Feature 'sentence' not found .* Did you mean 'sentence",
        ),
        (TextConfig, {"text_column": "label"}, "'label' of tfds:pairs is not a text"),
        (
            TextConfig,
            {"label_column": "lable"},
            "Feature 'lable' not found .* Did you mean 'label'",
        ),
        (TextConfig, {"label_column": "topics"}, "has several values"),
        (TextConfig, {"label_column": "topics", "task": "regression"}, "must be a number"),
    ],
)
def test_a_feature_that_does_not_fit_is_named(pairs, kind, settings, message):
    with pytest.raises(DataError, match=message):
        read_dataset(kind(dataset="tfds:pairs", data_dir=pairs, **settings))


def test_the_newest_version_is_read_and_configurations_are_found(store):
    import tensorflow_datasets as tfds

    features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["a", "b"])}
    for version in ("9.0.0", "10.0.0"):
        rows = {"train": [{"text": version, "label": 0}]}
        root = store("versions", features, rows, version)
    config = TextConfig(dataset="tfds:versions", data_dir=root)
    assert read_dataset(config)["train"].inputs == ["10.0.0"]
    config = TextConfig(dataset="tfds:versions:9.0.0", data_dir=root)
    assert read_dataset(config)["train"].inputs == ["9.0.0"]
    store("configured", features, rows, config="one")
    config = TextConfig(dataset="tfds:configured", data_dir=root)
    assert len(read_dataset(config)["train"]) == 1
    store("configured", features, rows, config="two")
    with pytest.raises(DataError, match=r"several configurations .* one, two.*tfds:configured/one"):
        read_dataset(config)
    config = TextConfig(dataset="tfds:configured/two", data_dir=root)
    assert len(read_dataset(config)["train"]) == 1


def test_without_a_network_the_error_comes_at_once_with_a_fix(monkeypatch, tmp_path):
    import socket

    def refuse(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    began = time.monotonic()
    with pytest.raises(NetworkError, match=r"tfds:tf_flower .*'tf_flowers'\?.*--data-dir DIR"):
        read_dataset(ImageConfig(dataset="tfds:tf_flower", data_dir=str(tmp_path)))
    assert time.monotonic() - began < 2


@pytest.fixture
def mocked(monkeypatch):
    """TFDS with random examples instead of downloads."""
    import tensorflow_datasets as tfds

    monkeypatch.setattr(dataset_check, "require_host", lambda *args, **kwargs: None)
    with tfds.testing.mock_data(num_examples=60):
        yield


def test_what_is_downloaded_is_announced(mocked, capsys, tmp_path):
    config = ImageConfig(dataset="tfds:tf_flowers", data_dir=str(tmp_path), image_size=8)
    data = load_data(config)
    assert len(data.labels.names) == 5
    assert "Downloading tfds:tf_flowers" in capsys.readouterr().err


def test_glue_pairs_from_mocked_data(mocked, tmp_path):
    config = TextConfig(dataset="tfds:glue/mrpc", data_dir=str(tmp_path))
    assert isinstance(read_dataset(config)["train"].inputs[0], tuple)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("tfds:tf_flower", "Dataset 'tf_flower' not found in TFDS. Did you mean 'tf_flowers'?"),
        ("tfds:glue/sst3", "cannot open tfds:glue/sst3"),
        ("tfds:tf_flowers:9.9.9", "cannot open tfds:tf_flowers:9.9.9"),
        ("tfds:a b", "must be tfds:NAME"),
    ],
)
def test_an_unknown_name_is_refused(mocked, tmp_path, dataset, message):
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        read_dataset(ImageConfig(dataset=dataset, data_dir=str(tmp_path)))
