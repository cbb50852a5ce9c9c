"""Rate how alike two sentences are, from 0 to 5: a small ELECTRA on STS-B (GLUE).

5,749 training pairs, a regression. The labels of GLUE's test split are hidden, so its validation
split (1,500 pairs) is the test split here. Validation is made from the training pairs.
Downloads: glue/stsb through TFDS (0.8 MiB), electra_small_discriminator_uncased_en through KerasHub
(13.5 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "electra_small_discriminator_uncased_en"
    dataset: Dataset = Dataset(
        "tfds:glue/stsb", text="sentence1", text_pair="sentence2", train="train",
        test="validation", validation_fraction=0.1,
    )  # fmt: skip
    task: str = "regression"
    sequence_length: int = 96
    head_epochs: int = 1
    epochs: int = 5
    learning_rate: float = 0.0001
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
