"""`builtin:glyphs`: rendered for every step, read like any other dataset."""

import dataclasses

import numpy as np
import pytest

import kerasft
from kerasft.data import read_dataset
from kerasft.errors import DataError
from kerasft.recipes import resnet_glyphs

CONFIG = resnet_glyphs.Config(images_per_epoch=128, batch_size=32, image_size=16)


@pytest.fixture(scope="module")
def data():
    return kerasft.load_data(CONFIG)


def test_an_epoch_has_the_images_of_the_setting_and_every_epoch_has_others(data):
    assert len(data.train) == 4
    first, _ = data.train[0]
    assert first.shape == (32, 16, 16, 3)
    data.train.on_epoch_end()
    assert not np.array_equal(first, data.train[0][0])


def test_validation_and_test_are_fixed(data):
    again = kerasft.load_data(CONFIG)
    for split in ("validation", "test"):
        assert np.array_equal(getattr(again, split).x, getattr(data, split).x)


def test_the_former_name_in_old_runs_reads_the_same_data(data):
    old = kerasft.load_data(dataclasses.replace(CONFIG, dataset="rendered glyphs"))
    assert old.fingerprint == data.fingerprint
    assert np.array_equal(old.test.x, data.test.x)


def test_without_the_setting_an_epoch_has_64000_images():
    config = kerasft.ImageConfig(dataset="builtin:glyphs", image_size=16, batch_size=64)
    assert len(kerasft.load_data(config).train) == 1000


def test_what_has_no_examples_is_refused_where_examples_are_read():
    with pytest.raises(DataError, match="has no examples to read"):
        read_dataset(CONFIG)
    with pytest.raises(DataError, match=r"`task` is regression, .* Use --task classification"):
        kerasft.load_data(kerasft.ImageConfig(dataset="builtin:glyphs", task="regression"))
