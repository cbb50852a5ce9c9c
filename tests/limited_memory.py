"""A recipe whose memory holds few images."""

# TensorFlow raises its ResourceExhaustedError for the MemoryError of a Python function.
RECIPE = """
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import kerasft


@dataclass(frozen=True, kw_only=True)
class Config(kerasft.ImageConfig):
    preset: str = ""
    image_size: int = 8
    augmentation: str = "none"
    head_epochs: int = 0
    epochs: int = 3
    dropout: float = 0.0
    batch_size: int = 26
    learning_rate: float = 1e-2
    kernel_l2: float = 1e-3
    patience: int = 0
    memory: int = kerasft.setting(26, "Images that fit", group="recipe", minimum=0)


class Limited(keras.layers.Layer):
    def __init__(self, most):
        super().__init__()
        self.most = most

    def call(self, x):
        def allocate(size):
            if size > self.most:
                raise MemoryError("OOM when allocating tensor")
            return size

        size = tf.py_function(allocate, [tf.shape(x)[0]], tf.int32)
        with tf.control_dependencies([size]):
            return tf.identity(x)

    def compute_output_shape(self, shape):
        return shape


def build_model(config, data):
    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(Limited(config.memory)(inputs)))
    x = keras.layers.Dense(8, activation="relu")(x)
    return keras.Model(inputs, kerasft.head(x, config, data.labels))


def search_space(hp):
    hp.Choice("batch_size", [26, 13])
"""
