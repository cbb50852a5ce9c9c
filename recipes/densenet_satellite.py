"""Tell what the land is used for, from a satellite: DenseNet-121 on EuroSAT.

27,000 images of 64 by 64 pixels in 10 kinds; only a training split is given, so validation and
test are made.
Downloads: eurosat/rgb through TFDS (90 MiB), densenet_121_imagenet through KerasHub (7.0 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "densenet_121_imagenet"
    dataset: Dataset = Dataset("tfds:eurosat/rgb")
    image_size: int = 64
    trainable_blocks: int = 2
    epochs: int = 6
    learning_rate: float = 0.0003


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 1e-3, sampling="log")
    hp.Choice("trainable_blocks", [2, 1, 3])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
