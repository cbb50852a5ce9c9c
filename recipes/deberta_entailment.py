"""Tell whether one sentence follows from another: a small DeBERTaV3 on RTE (GLUE).

2,490 training pairs. The labels of GLUE's test split are hidden, so its validation split (277
pairs) is the test split here. Validation is made from the training pairs.
Downloads: glue/rte through TFDS (0.7 MiB), deberta_v3_small_en through KerasHub (141 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "deberta_v3_small_en"
    dataset: Dataset = Dataset(
        "tfds:glue/rte", text="sentence1", text_pair="sentence2", train="train", test="validation",
        validation_fraction=0.1,
    )  # fmt: skip
    sequence_length: int = 192
    head_epochs: int = 1
    epochs: int = 6
    learning_rate: float = 3e-05
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1
    layer_decay: float = 0.9


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 5e-6, 1e-4, sampling="log")
    hp.Choice("trainable_blocks", [-1, 6, 3])
    hp.Choice("dropout", [0.1, 0.3])
