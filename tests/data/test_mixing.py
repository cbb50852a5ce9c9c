"""Mixed examples: images and labels in the same shares, and the same ones after a restart."""

import keras
import numpy as np
import pytest

from kerasft.config import ImageConfig
from kerasft.data import Batches, make_mix, stream
from kerasft.errors import SettingError


@pytest.fixture
def batches():
    def make(**settings):
        # Image i has the gray i and the class i: shares of classes can be read from the pixels.
        x = np.arange(8, dtype="uint8").reshape(8, 1, 1, 1) * np.ones((1, 12, 12, 3), "uint8") * 30
        return Batches(
            x, np.eye(8, dtype="float32"), batch_size=4, seed=5, shuffle=True,
            mix=make_mix(ImageConfig(**settings)),
        )  # fmt: skip

    return make


@pytest.mark.parametrize("settings", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1}])
def test_labels_are_mixed_as_the_pixels_are(batches, settings):
    mixed = 0
    for index in range(2):
        x, y = batches(**settings).batch(index)
        assert x.dtype == np.uint8
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-5)
        # The mean gray tells the shares, to what a patch loses by whole pixels.
        np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), y @ (np.arange(8) * 30), atol=16)
        mixed += int((y.max(axis=1) < 0.99).sum())
    assert mixed


def test_patches_of_large_images_are_counted_in_full_precision():
    x, y = np.zeros((4, 320, 320, 3), "uint8"), np.eye(4, dtype="float32")
    x[:] = np.arange(4)[:, None, None, None] * 60
    try:
        keras.config.set_dtype_policy("mixed_float16")
        mix = make_mix(ImageConfig(cutmix=1.0))
    finally:
        keras.config.set_dtype_policy("float32")
    images, shares = mix(x, y, [1])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), shares @ (np.arange(4) * 60), atol=1)
    assert (shares.max(axis=1) < 0.99).any()


def test_the_same_epoch_is_mixed_in_the_same_way_again(batches):
    first, again = batches(cutmix=1.0, mixup=0.5), batches(cutmix=1.0, mixup=0.5)
    seen = [first.batch(0)[0]]
    for epoch in (1, 2):
        first.epoch = again.epoch = epoch
        one, two = first.batch(1), again.batch(1)
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
        seen.append(one[0])
    assert not np.array_equal(seen[1], seen[2])


def test_tensorflow_gets_the_mixed_batches(batches):
    made = batches(mixup=1.0)
    given = list(stream(made))
    np.testing.assert_array_equal(given[1][0].numpy(), made.batch(1)[0])
    np.testing.assert_array_equal(given[1][1].numpy(), made.batch(1)[1])


@pytest.mark.parametrize("settings", [{"task": "regression"}, {"class_weight": "balanced"}])
def test_what_cannot_be_mixed_is_refused(settings):
    with pytest.raises(SettingError, match="`mixup`"):
        ImageConfig(mixup=0.2, **settings)
