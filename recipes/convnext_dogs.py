"""Tell 120 breeds of dogs apart: ConvNeXt tiny on the Stanford dogs.

12,000 training and 8,580 test photographs. ImageNet, of which the dogs are a part, makes frozen
features strong: little need be trained.
Downloads: stanford_dogs through TFDS (778 MiB), ConvNeXtTiny of keras.applications (27.8 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "applications:ConvNeXtTiny"
    dataset: Dataset = Dataset("tfds:stanford_dogs")
    trainable_blocks: int = 1
    epochs: int = 4
    learning_rate: float = 0.0001


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
