"""Tell 102 kinds of flowers apart from ten photographs each: DINOv2, its features alone.

1,020 training, 1,020 validation and 6,149 test photographs. Features that were learned without
labels need a linear output layer only: nothing else is trained, and the images go through once.
Downloads: oxford_flowers102 through TFDS (329 MiB), dinov2_small through KerasHub (22.6 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "dinov2_small"
    dataset: Dataset = Dataset("tfds:oxford_flowers102")
    image_size: int = 518
    trainable_blocks: int = 0
    head_epochs: int = 0
    epochs: int = 30
    learning_rate: float = 0.01
    augmentation: str = "none"
    patience: int = 5


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
    hp.Choice("weight_decay", [0.01, 0.0, 0.1])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
