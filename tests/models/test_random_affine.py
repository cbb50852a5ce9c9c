"""Random flips, shifts, rotations and zooms in one step: as the layers of Keras in turn."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasft.models.random_affine import RandomAffine

CHANGES = {"flip": True, "shift": 0.1, "turn": 0.05, "zoom": (-0.25, 0.1)}


def photographs(count=2, height=40, width=60):
    """Smooth images, which lose little to interpolation."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    channels = [np.sin(5 * x + y), np.cos(3 * y - x), x * y]
    image = 255 * np.stack(channels, axis=-1).astype("float32")
    return ops.convert_to_tensor(np.repeat(image[None], count, axis=0))


def in_turn(images, *, flip=False, shift=0.0, turn=0.0, zoom=None):
    """The layers of Keras with fixed changes."""
    if flip:
        images = ops.flip(images, axis=2)
    images = layers.RandomTranslation((shift, shift), (shift, shift), fill_mode="nearest")(images)
    images = layers.RandomRotation((turn, turn), fill_mode="nearest")(images)
    return images if zoom is None else layers.RandomZoom((zoom, zoom), fill_mode="nearest")(images)


@pytest.fixture
def drawn(monkeypatch):
    """Makes every random number the same."""
    return lambda value: monkeypatch.setattr(
        keras.random, "uniform", lambda shape, *bounds, seed: value * ops.ones(shape)
    )


@pytest.mark.parametrize("value", [-0.9, 0.8])
@pytest.mark.parametrize("names", [("flip",), ("shift",), ("turn",), ("zoom",), tuple(CHANGES)])
def test_changes_are_those_of_the_layers_of_keras(drawn, names, value):
    drawn(value)
    found = RandomAffine(**{name: CHANGES[name] for name in names})(photographs(), training=True)
    lower, upper = CHANGES["zoom"]
    fixed = {
        "flip": value < 0, "shift": value * CHANGES["shift"], "turn": value * CHANGES["turn"],
        "zoom": (lower + upper) / 2 + value * (upper - lower) / 2,
    }  # fmt: skip
    expected = in_turn(photographs(), **{name: fixed[name] for name in names})
    assert np.abs(found - expected)[:, 10:-10, 10:-10].max() < 2
    assert np.abs(found - photographs()).max() > 10 or names == ("flip",)


def test_half_of_the_images_are_mirrored():
    keras.utils.set_random_seed(0)
    images = photographs(100)
    found, mirrored = RandomAffine(flip=True)(images, training=True), ops.flip(images, axis=2)
    each = [np.allclose(one, two, atol=1e-2) for one, two in zip(found, mirrored, strict=True)]
    same = [np.allclose(one, two, atol=1e-2) for one, two in zip(found, images, strict=True)]
    assert 30 < sum(each) < 70
    assert sum(each) + sum(same) == 100


def test_images_are_changed_in_training_alone():
    layer = RandomAffine(**CHANGES)
    np.testing.assert_array_equal(layer(photographs()), photographs())
    assert not np.allclose(layer(photographs(), training=True), photographs())


def test_every_image_and_every_call_has_changes_of_its_own():
    layer, images = RandomAffine(shift=0.5), photographs()
    first, second = layer(images, training=True), layer(images, training=True)
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first, second)


def test_a_stored_layer_is_the_same():
    layer = RandomAffine(**CHANGES, name="affine")
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
