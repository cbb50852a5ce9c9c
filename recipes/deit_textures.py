"""Name the texture of a surface: a small DeiT on Describable Textures.

1,880 training, validation and test images each, of 47 kinds: 40 a kind.
Downloads: dtd through TFDS (608 MiB), deit_small_distilled_patch16_224_imagenet through KerasHub
(21.7 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "deit_small_distilled_patch16_224_imagenet"
    dataset: Dataset = Dataset("tfds:dtd")
    trainable_blocks: int = 2
    epochs: int = 8
    learning_rate: float = 0.0001


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 3e-4, sampling="log")
    hp.Choice("trainable_blocks", [4, 2, -1])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
