"""Recipe of a model that costs nearly nothing: its epochs take as long as reading the images."""

import keras

import kerasft


class Config(kerasft.ImageConfig):
    augmentation: str = "none"
    head_epochs: int = 0
    head_start: str = "random"
    patience: int = 0


def build_model(config, data):
    inputs = keras.Input((config.image_size, config.image_size, 3), name="images")
    features = keras.layers.Rescaling(1 / 255)(inputs[:, ::16, ::16])
    return keras.Model(inputs, kerasft.head(keras.layers.Flatten()(features), config, data.labels))
