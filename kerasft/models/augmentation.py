"""Random changes of training images, as layers of the model: inactive outside training."""

from __future__ import annotations

from typing import Any

import keras

_STRENGTH = {"light": (0.08, 0.03, 0.1), "strong": (0.15, 0.06, 0.25)}


def augment(
    images: keras.KerasTensor,
    *,
    strength: str,
    horizontal_flip: bool = True,
    random_erasing: float = 0.0,
) -> object:
    """Add the layers of an augmentation to `images`.

    Args:
        images: Pixels 0 to 255, shape (batch, height, width, 3).
        strength: `none`; `light`: flip, shift by at most 8 %, rotation by at most 11 degrees,
            brightness and contrast by at most 10 %; `strong`: 15 %, 22 degrees, 25 %, and zoom;
            `randaugment`: flip, and two of the eleven changes of Keras' RandAugment (Cubuk et al.
            2019, arXiv 1909.13719), drawn anew for every batch, at half their strength.
        horizontal_flip: Whether mirror images are as likely as the originals (not for digits
            or text in pictures).
        random_erasing: Share of the images of which a patch is filled with noise (Zhong et al.
            2017, arXiv 1708.04896), whatever the strength.

    Returns:
        A symbolic tensor of the same shape, float32 pixels 0 to 255.
    """
    x = keras.layers.Rescaling(1.0, name="pixels", dtype="float32")(images)
    if strength != "none" and horizontal_flip:
        x = keras.layers.RandomFlip("horizontal", name="random_flip", dtype="float32")(x)
    if strength == "randaugment":
        x = keras.layers.RandAugment(name="rand_augment", dtype="float32")(x)
    elif strength != "none":
        x = _change(x, *_STRENGTH[strength], zoom=strength == "strong")
    if random_erasing:
        share = (random_erasing, random_erasing)
        x = keras.layers.RandomErasing(share, name="random_erasing", dtype="float32")(x)
    return x


def _change(x: Any, shift: float, turn: float, light: float, *, zoom: bool) -> Any:
    layers = keras.layers
    x = layers.RandomTranslation(
        shift, shift, fill_mode="nearest", name="random_translation", dtype="float32"
    )(x)
    x = layers.RandomRotation(turn, fill_mode="nearest", name="random_rotation", dtype="float32")(x)
    if zoom:
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
