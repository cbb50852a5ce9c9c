"""Mixed examples: two training images in one, and their labels in the same shares."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from kerasft.config import Config

Mix = Callable[[np.ndarray, np.ndarray, list[int]], tuple[np.ndarray, np.ndarray]]


def make_mix(config: Config) -> Mix | None:
    """Return what mixes the examples of a batch, or None where the settings ask for nothing.

    MixUp blends pairs of images (Zhang et al. 2017, arXiv 1710.09412), CutMix puts a patch of one
    into another (Yun et al. 2019, arXiv 1905.04899); both are Keras' own layers. With both, one
    of them is drawn for every batch.

    Args:
        config: Its mixup and cutmix are used, where it has them.

    Returns:
        A function of images, labels as shares of the classes, and the entropy of its seed: the
        same three give the same mixture.
    """
    mixup, cutmix = (float(getattr(config, name, 0.0)) for name in ("mixup", "cutmix"))
    layers: list[keras.layers.Layer] = []
    if mixup:
        layers.append(keras.layers.MixUp(mixup, dtype="float32"))
    if cutmix:
        # In half precision 256 by 256 pixels are too many to count.
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
