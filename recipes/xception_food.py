"""Name the dish in a photograph: Xception on Food-101.

75,750 training and 25,250 test photographs (TFDS calls them validation) of 101 dishes; training
labels have errors, which label smoothing softens. For many images and a GPU.
Downloads: food101 through TFDS (4.7 GiB), xception_41_imagenet through KerasHub (20.9 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "xception_41_imagenet"
    dataset: Dataset = Dataset(
        "tfds:food101", train="train", test="validation", validation_fraction=0.05
    )
    image_size: int = 299
    trainable_blocks: int = 3
    epochs: int = 6
    learning_rate: float = 0.0003
    label_smoothing: float = 0.1


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
