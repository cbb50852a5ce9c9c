"""Two towers: the vectors of two texts, from one shared backbone, are compared.

For classes, the output layer reads both vectors, their distance and their product (Reimers and
Gurevych 2019, arXiv 1908.10084; Conneau et al. 2017, arXiv 1705.02364). For a number, it reads the
terms of the cosine, and begins with equal weights: its first output rises with the cosine of the
pretrained vectors.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasft.config import Config
from kerasft.presets.pair_mode import PAIR, has_towers
from kerasft.tasks import task_of

_FIRST = "first_vector"  # layer whose output is the vector of the first text


def compare(first: Any, second: Any, config: Config) -> Any:
    """Return the features of a pair.

    Args:
        first: Vectors of the first texts, shape (batch, width).
        second: Vectors of the second texts, of the same shape.
        config: Config; its task is used.

    Returns:
        For classes, both vectors, their absolute difference and their product, shape (batch, 4 *
        width). For a number, the terms of the cosine, shape (batch, width).
    """
    first = keras.layers.Identity(name=_FIRST, dtype="float32")(first)
    if task_of(config.task).has_classes:
        apart = keras.ops.absolute(first - second)
        return keras.ops.concatenate([first, second, apart, first * second], axis=-1)
    unit = keras.layers.UnitNormalization(name="unit_length", dtype="float32")
    return unit(first) * unit(second)


def tower_of(model: keras.Model) -> keras.Model | None:
    """Return the model from the inputs of one text to its vector, or None without towers.

    Args:
        model: Model of a recipe, which shares its weights.
    """
    layer = next((layer for layer in model.layers if layer.name == _FIRST), None)
    if layer is None or not isinstance(model.input, dict):
        return None
    inputs = {name: x for name, x in model.input.items() if not name.endswith(PAIR)}
    return keras.Model(inputs, layer.output)


def initial_weights(config: Config) -> dict[str, Any]:
    """Return the initializers of the output layer where Keras' own do not fit; see `compare`.

    The output layer predicts a standardized number. Cosines from 0 to 1 begin as the range of a
    uniformly distributed one: the mean ± sqrt(3) standard deviations.
    """
    if not has_towers(config) or task_of(config.task).has_classes:
        return {}
    most = math.sqrt(3)
    return {
        "kernel_initializer": keras.initializers.Constant(2 * most),
        "bias_initializer": keras.initializers.Constant(-most),
    }
