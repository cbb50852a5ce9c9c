"""Tell what a question asks for: the encoder of a small Flan-T5 on TREC.

5,452 training and 500 test questions of 6 kinds: a person, a place, a number, ...
Downloads: trec through TFDS (0.3 MiB), flan_small_multi through KerasHub (77 million parameters, of
which the encoder is read).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "flan_small_multi"
    dataset: Dataset = Dataset(
        "tfds:trec", text="text", label="label-coarse", train="train", test="test"
    )
    sequence_length: int = 48
    head_epochs: int = 1
    epochs: int = 5
    learning_rate: float = 0.0003
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 2e-4, sampling="log")
    hp.Choice("trainable_blocks", [-1, 4, 2])
    hp.Choice("dropout", [0.1, 0.3])
