"""Name a plant and its disease by a leaf: InceptionV3 on PlantVillage.

54,303 photographs in 38 kinds; only a training split is given, so validation and test are made.
Downloads: plant_village through TFDS (828 MiB), InceptionV3 of keras.applications (21.8 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "applications:InceptionV3"
    dataset: Dataset = Dataset("tfds:plant_village")
    trainable_blocks: int = 2
    epochs: int = 4
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
