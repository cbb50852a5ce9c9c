"""Find malaria in a blood cell: CSP-Darknet-53 on images of cells.

27,558 cells, infected or not; only a training split is given, so validation and test are made.
Downloads: malaria through TFDS (337 MiB), csp_darknet_53_ra_imagenet through KerasHub (27.6
million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "csp_darknet_53_ra_imagenet"
    dataset: Dataset = Dataset("tfds:malaria")
    image_size: int = 128
    trainable_blocks: int = 2
    epochs: int = 5
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
