"""Data augmentation of images, as layers of the model that are active only in training."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.models.blocks import flatten_layers
from kerasft.models.random_affine import RandomAffine

# Translation, rotation, zoom, and brightness and contrast.
_STRENGTH = {
    "light": (0.08, 0.03, (0.0, 0.0), 0.1),
    "strong": (0.15, 0.06, (-0.25, 0.1), 0.25),
}
_LAYERS = (
    RandomAffine,
    keras.layers.RandAugment,
    keras.layers.RandomBrightness,
    keras.layers.RandomContrast,
    keras.layers.RandomErasing,
    keras.layers.RandomFlip,
)
_COMPILED_BY_JAX = (
    keras.layers.RandomPerspective,
    keras.layers.RandomRotation,
    keras.layers.RandomShear,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
)


def augment(
    images: keras.KerasTensor,
    *,
    strength: str,
    horizontal_flip: bool = True,
    random_erasing: float = 0.0,
) -> object:
    """Add augmentation layers to `images`.

    Args:
        images: Symbolic pixels in [0, 255], shape (batch, height, width, 3).
        strength: Kind of augmentation. `none`; `light`: flip, shift by up to 8%, rotation by up to
            11 degrees, brightness and contrast by up to 10%; `strong`: the same by 15%, 22 degrees
            and 25%, and zoom; `randaugment`: flip, and two of the eleven operations of Keras'
            RandAugment (Cubuk et al. 2019, arXiv 1909.13719), drawn for each batch, at half
            magnitude.
        horizontal_flip: Whether to mirror half of the images (not for digits or text).
        random_erasing: Fraction of the images in which a patch is replaced by noise, with any
            `strength` (Zhong et al. 2017, arXiv 1708.04896).

    Returns:
        Symbolic float32 pixels in [0, 255], of the same shape.
    """
    x = keras.layers.Rescaling(1.0, name="pixels", dtype="float32")(images)
    if strength == "randaugment":
        if horizontal_flip:
            x = keras.layers.RandomFlip("horizontal", name="random_flip", dtype="float32")(x)
        x = keras.layers.RandAugment(name="rand_augment", dtype="float32")(x)
    elif strength != "none":
        translation, rotation, zoom, light = _STRENGTH[strength]
        x = RandomAffine(
            flip=horizontal_flip, translation=translation, rotation=rotation, zoom=zoom,
            name="random_affine", dtype="float32",
        )(x)  # fmt: skip
        x = _change_light(x, light)
    if random_erasing:
        share = (random_erasing, random_erasing)
        x = keras.layers.RandomErasing(share, name="random_erasing", dtype="float32")(x)
    return x


def is_augmentation(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is of a kind that `augment` adds."""
    return isinstance(layer, _LAYERS)


def allow_compilation(model: keras.Model) -> None:
    """Let JAX compile the steps and predictions of a model whose layers move pixels at random.

    Keras compiles none with such layers, since XLA lacks the operation of TensorFlow. Without it
    every operation of the model is started by itself.

    Args:
        model: Model before it is compiled.
    """
    if keras.backend.backend() != "jax":
        return
    for layer in flatten_layers(model):
        if isinstance(layer, _COMPILED_BY_JAX):
            layer.supports_jit = True


def _change_light(x: Any, light: float) -> Any:
    options: Any = {"value_range": (0, 255), "dtype": "float32"}
    x = keras.layers.RandomBrightness(light, name="random_brightness", **options)(x)
    return keras.layers.RandomContrast(light, name="random_contrast", **options)(x)
