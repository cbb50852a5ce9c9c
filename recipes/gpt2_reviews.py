"""Tell whether a film review likes the film: GPT-2 with adapters (LoRA) on IMDB.

25,000 training and 25,000 test reviews, cut at 256 tokens; read at their last token. Adapters of
rank 8 are all that is trained beside the output layer. For a GPU.
Downloads: imdb_reviews through TFDS (80 MiB), gpt2_base_en through KerasHub (124 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "gpt2_base_en"
    dataset: Dataset = Dataset("tfds:imdb_reviews", train="train", test="test")
    sequence_length: int = 256
    lora_rank: int = 8
    epochs: int = 2
    learning_rate: float = 0.0005
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-4, 2e-3, sampling="log")
    hp.Choice("lora_rank", [8, 4, 16])
