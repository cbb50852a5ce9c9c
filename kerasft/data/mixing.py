"""MixUp and CutMix: pairs of training images combined into one, with soft labels."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from kerasft.config import Config

Mix = Callable[[np.ndarray, np.ndarray, list[int]], tuple[np.ndarray, np.ndarray]]


def make_mix(config: Config) -> Mix | None:
    """Return a function that mixes the examples of a batch, or None if mixing is off.

    MixUp blends pairs of images (Zhang et al. 2017, arXiv 1710.09412). CutMix pastes a patch of
    one image into another (Yun et al. 2019, arXiv 1905.04899). Both are Keras layers. With both
    on, one of them is drawn for each batch.

    Args:
        config: Settings; `mixup` and `cutmix` are used, and are 0 where the config lacks them.

    Returns:
        A function of images, soft labels (shape (n, classes)) and the entropy of a seed, which
        returns mixed images and labels. It is deterministic.
    """
    mixup, cutmix = getattr(config, "mixup", 0.0), getattr(config, "cutmix", 0.0)
    layers: list[keras.layers.Layer] = []
    if mixup:
        layers.append(keras.layers.MixUp(mixup, dtype="float32"))
    if cutmix:
        # Half precision cannot hold the pixel count of a 256x256 image (65,536).
        layers.append(keras.layers.CutMix((cutmix, cutmix), dtype="float32"))
    if not layers:
        return None

    def mix(x: np.ndarray, y: np.ndarray, entropy: list[int]) -> tuple[np.ndarray, np.ndarray]:
        first, second = np.random.SeedSequence(entropy).generate_state(2)
        layer = layers[int(first) % len(layers)]
        seed = keras.random.SeedGenerator(int(second) % 2**31)
        how = layer.get_random_transformation(x, training=True, seed=seed)
        images = keras.ops.convert_to_numpy(layer.transform_images(x, how, training=True))
        labels = keras.ops.convert_to_numpy(layer.transform_labels(y, how, training=True))
        return np.rint(images).astype(x.dtype), labels.astype(y.dtype)

    return mix
