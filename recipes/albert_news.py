"""Sort news by their topic: ALBERT on AG News.

120,000 training and 7,600 test messages, 4 topics. The layers of ALBERT are one and the same, used
12 times: it is small on the disk, not fast.
Downloads: ag_news_subset through TFDS (11 MiB), albert_base_en_uncased through KerasHub (11.7
million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "albert_base_en_uncased"
    dataset: Dataset = Dataset(
        "tfds:ag_news_subset", train="train", test="test", validation_fraction=0.05
    )
    sequence_length: int = 96
    epochs: int = 2
    learning_rate: float = 3e-05
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 1e-4, sampling="log")
    hp.Choice("dropout", [0.1, 0.0, 0.3])
