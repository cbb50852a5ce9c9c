"""Tell whether two sentences say the same: RoBERTa on MRPC (GLUE).

3,668 training pairs of sentences from the news. The labels of GLUE's test split are hidden, so its
validation split (408 pairs) is the test split here. Validation is made from the training pairs.
Downloads: glue/mrpc through TFDS (1.4 MiB), roberta_base_en through KerasHub (124 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "roberta_base_en"
    dataset: Dataset = Dataset(
        "tfds:glue/mrpc", text="sentence1", text_pair="sentence2", train="train",
        test="validation", validation_fraction=0.1,
    )  # fmt: skip
    sequence_length: int = 128
    head_epochs: int = 1
    epochs: int = 4
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
    hp.Float("learning_rate", 5e-6, 1e-4, sampling="log")
    hp.Choice("trainable_blocks", [-1, 6, 3])
    hp.Choice("dropout", [0.1, 0.3])
