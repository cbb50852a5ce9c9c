"""Find the disease of a cassava plant: a tiny Swin Transformer on photographs of leaves.

5,656 training, 1,889 validation and 1,885 test photographs of 5 kinds, two of which are 72 % of
them: rare kinds weigh more.
Downloads: cassava through TFDS (1.3 GiB), swin_tiny_patch4_window7_224 through KerasHub (27.5
million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "swin_tiny_patch4_window7_224"
    dataset: Dataset = Dataset("tfds:cassava")
    trainable_blocks: int = 2
    epochs: int = 8
    learning_rate: float = 0.0001
    class_weight: str = "balanced"


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
