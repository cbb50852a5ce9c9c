"""Name the flower in a photograph: ResNet-50 on TF Flowers.

3,670 photographs, 5 kinds; only a training split is given, so validation and test are made.
Downloads: tf_flowers through TFDS (218 MiB), resnet_50_imagenet through KerasHub (23.6
million parameters, about 94 MB).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "resnet_50_imagenet"
    dataset: Dataset = Dataset("tfds:tf_flowers")
    trainable_blocks: int = 2
    epochs: int = 8
    learning_rate: float = 3e-4
    kernel_l2: float = 1e-4


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
