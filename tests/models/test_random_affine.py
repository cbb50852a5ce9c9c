"""Random flips, shifts, rotations and zooms in one step: as the layers of Keras in turn."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasft.models.random_affine import RandomAffine

CHANGES = {"flip": True, "translation": 0.1, "rotation": 0.05, "zoom": (-0.25, 0.1)}
DRAWN = (-0.9, 0.8, 0.7, -0.6, 0.5)  # flip, rotation, zoom, right, down


def photographs(count=2, height=40, width=60):
    """Smooth images, which lose little to interpolation."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    channels = [np.sin(5 * x + y), np.cos(3 * y - x), x * y]
    image = 255 * np.stack(channels, axis=-1).astype("float32")
    return ops.convert_to_tensor(np.repeat(image[None], count, axis=0))


def in_turn(images, drawn, *, flip=False, translation=0.0, rotation=0.0, zoom=(0.0, 0.0)):
    """The layers of Keras with fixed changes."""
    if flip and drawn[0] < 0:
        images = ops.flip(images, axis=2)
    lower, upper = zoom
    turn, zoomed, right, down = (
        drawn[1] * rotation, (lower + upper) / 2 + drawn[2] * (upper - lower) / 2,
        drawn[3] * translation, drawn[4] * translation,
    )  # fmt: skip
    if translation:
        fixed = layers.RandomTranslation((down, down), (right, right), fill_mode="nearest")
        images = fixed(images)
    if rotation:
        images = layers.RandomRotation((turn, turn), fill_mode="nearest")(images)
    return layers.RandomZoom((zoomed, zoomed), fill_mode="nearest")(images) if any(zoom) else images


@pytest.fixture
def draw(monkeypatch):
    """Makes the random numbers of every image these."""

    def fix(values):
        def uniform(shape, lowest, highest, seed):
            assert (shape[0], lowest, highest) == (len(values), -1, 1)
            return ops.tile(ops.reshape(ops.convert_to_tensor(values), (-1, 1)), (1, shape[1]))

        monkeypatch.setattr(keras.random, "uniform", uniform)

    return fix


@pytest.mark.parametrize("drawn", [DRAWN, [-value for value in DRAWN]])
@pytest.mark.parametrize("name", CHANGES)
def test_one_change_is_that_of_a_layer_of_keras(draw, name, drawn):
    draw(drawn)
    change = {name: CHANGES[name]}
    found = RandomAffine(**change)(photographs(), training=True)
    np.testing.assert_allclose(found, in_turn(photographs(), drawn, **change), atol=0.05)
    assert np.abs(found - photographs()).max() > 10 or (name == "flip" and drawn[0] > 0)


@pytest.mark.parametrize("drawn", [DRAWN, [-value for value in DRAWN]])
def test_all_changes_are_those_of_the_layers_of_keras_in_turn(draw, drawn):
    draw(drawn)
    found = RandomAffine(**CHANGES)(photographs(), training=True)
    expected = in_turn(photographs(), drawn, **CHANGES)
    assert np.abs(found - expected)[:, 10:-10, 10:-10].max() < 2  # interpolated once, and thrice


def test_half_of_the_images_are_mirrored():
    keras.utils.set_random_seed(0)
    images = photographs(400)
    found, mirrored = RandomAffine(flip=True)(images, training=True), ops.flip(images, axis=2)
    each = [np.allclose(one, two, atol=1e-2) for one, two in zip(found, mirrored, strict=True)]
    same = [np.allclose(one, two, atol=1e-2) for one, two in zip(found, images, strict=True)]
    assert 160 < sum(each) < 240
    assert sum(each) + sum(same) == 400


def test_images_are_changed_in_training_alone():
    layer = RandomAffine(**CHANGES)
    np.testing.assert_array_equal(layer(photographs()), photographs())
    assert not np.allclose(layer(photographs(), training=True), photographs())


def test_every_image_and_every_call_has_changes_of_its_own():
    layer, images = RandomAffine(translation=0.5), photographs()
    first, second = layer(images, training=True), layer(images, training=True)
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first, second)


def test_a_stored_layer_is_the_same():
    layer = RandomAffine(**CHANGES, name="affine")
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
