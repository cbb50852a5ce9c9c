"""Find the disease on a bean leaf: MobileNetV3 small on photographs from the field.

1,034 training, 133 validation and 128 test photographs of 3 kinds. For few images and a small
machine. Downloads: beans through TFDS (172 MiB), mobilenet_v3_small_100_imagenet through KerasHub
(0.9 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "mobilenet_v3_small_100_imagenet"
    dataset: Dataset = Dataset("tfds:beans")
    trainable_blocks: int = 2
    epochs: int = 12
    learning_rate: float = 0.0003
    augmentation: str = "strong"


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
