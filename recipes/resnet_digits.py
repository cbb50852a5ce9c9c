"""Read handwritten digits: the embedded ResNet on scikit-learn's digits.

1,797 scans of 8 by 8 pixels, 10 classes. The backbone was pretrained by this project on
rendered letters, never on digits (recipe resnet_glyphs). Nothing is downloaded.
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "package:kerasft/assets/resnet_glyphs"
    dataset: Dataset = Dataset("builtin:digits")
    image_size: int = 32
    horizontal_flip: bool = False
    learning_rate: float = 1e-3
    head_learning_rate: float = 1e-2
    patience: int = 5


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    hp.Choice("trainable_blocks", [-1, 2, 1])
    hp.Choice("dropout", [0.0, 0.2, 0.4])
