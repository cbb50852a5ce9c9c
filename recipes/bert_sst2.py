"""Tell the sentiment of a sentence: a small BERT on SST-2 (GLUE).

67,349 training sentences. The labels of GLUE's test split are hidden, so its validation split
(872 sentences) is the test split here. Validation is made from the training sentences.
Downloads: glue/sst2 through TFDS (7 MiB), bert_small_en_uncased through KerasHub (28.8 million
parameters, about 115 MB).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "bert_small_en_uncased"
    dataset: Dataset = Dataset(
        "tfds:glue/sst2", train="train", test="validation", validation_fraction=0.05
    )
    sequence_length: int = 64
    epochs: int = 3
    learning_rate: float = 1e-4
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
