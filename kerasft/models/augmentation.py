"""Random changes of training images, as layers of the model: inactive outside training."""

from __future__ import annotations

import keras

_STRENGTH = {"light": (0.08, 0.03, 0.1), "strong": (0.15, 0.06, 0.25)}


def augment(images: keras.KerasTensor, *, strength: str, horizontal_flip: bool = True) -> object:
    """Adds the layers of an augmentation to `images`.

    Args:
        images: Pixels 0 to 255, shape (batch, height, width, 3).
        strength: `none`; `light`: flip, shift by at most 8 %, rotation by at most 11 degrees,
            brightness and contrast by at most 10 %; `strong`: 15 %, 22 degrees, 25 %, and zoom.
        horizontal_flip: Whether mirror images are as likely as the originals (not for digits
            or text in pictures).

    Returns:
        A symbolic tensor of the same shape, float32 pixels 0 to 255.
    """
    x = keras.layers.Rescaling(1.0, name="pixels", dtype="float32")(images)
    if strength == "none":
        return x
    shift, turn, light = _STRENGTH[strength]
    layers = keras.layers
    if horizontal_flip:
        x = layers.RandomFlip("horizontal", name="random_flip", dtype="float32")(x)
    x = layers.RandomTranslation(
        shift, shift, fill_mode="nearest", name="random_translation", dtype="float32"
    )(x)
    x = layers.RandomRotation(turn, fill_mode="nearest", name="random_rotation", dtype="float32")(x)
    if strength == "strong":
        x = layers.RandomZoom(
            (-0.25, 0.1), fill_mode="nearest", name="random_zoom", dtype="float32"
        )(x)
    pixels = (0, 255)
    x = layers.RandomBrightness(
        light, value_range=pixels, name="random_brightness", dtype="float32"
    )(x)
    return layers.RandomContrast(
        light, value_range=pixels, name="random_contrast", dtype="float32"
    )(x)
