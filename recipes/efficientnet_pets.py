"""Tell 37 breeds of cats and dogs apart: EfficientNet-B0 on the Oxford-IIIT pets.

3,680 training and 3,669 test photographs; the validation split is made from the training
photographs. Downloads: oxford_iiit_pet through TFDS (774 MiB), efficientnet_b0_ra_imagenet
through KerasHub (5.29 million parameters, about 21 MB).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "efficientnet_b0_ra_imagenet"
    dataset: Dataset = Dataset("tfds:oxford_iiit_pet")
    trainable_blocks: int = 2
    epochs: int = 8
    learning_rate: float = 3e-4
    label_smoothing: float = 0.1
    average_weights: str = "ema"
    patience: int = 5


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
