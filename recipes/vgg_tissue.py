"""Tell tissues under the microscope apart: VGG-16 on colorectal histology.

5,000 images in 8 kinds; only a training split is given, so validation and test are made. Textures
have no top and bottom: mirrored images are as good as the others.
Downloads: colorectal_histology through TFDS (246 MiB), vgg_16_imagenet through KerasHub (14.7
million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "vgg_16_imagenet"
    dataset: Dataset = Dataset("tfds:colorectal_histology")
    image_size: int = 150
    trainable_blocks: int = 1
    epochs: int = 8
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
