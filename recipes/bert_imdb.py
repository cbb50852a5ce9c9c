"""Tell whether a film review likes the film: a small BERT on IMDB.

25,000 training and 25,000 test reviews, cut at 256 tokens. Downloads: imdb_reviews through
TFDS (80 MiB), bert_small_en_uncased through KerasHub (115 MB).
"""

from __future__ import annotations

from typing import Any

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    """Settings that differ from the common defaults."""

    preset: str = "bert_small_en_uncased"
    dataset: Dataset = Dataset("tfds:imdb_reviews", train="train", test="test")
    sequence_length: int = 256
    trainable_blocks: int = -1
    epochs: int = 3
    learning_rate: float = 1e-4
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1


def load_data(config: Config) -> kerasft.Data:
    """Read the examples and brings them to arrays."""
    return kerasft.load_data(config)


def build_model(config: Config, data: kerasft.Data) -> Any:
    """Return a keras.Model: backbone, frozen by depth, and head."""
    import keras

    backbone = kerasft.load_backbone(config.preset, pretrained=config.pretrained)
    kerasft.freeze(backbone, config.trainable_blocks)
    inputs, features = kerasft.text_features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp: Any) -> None:
    """Declare what a search may change; the names are those of Config."""
    hp.Float("learning_rate", 1e-5, 2e-4, sampling="log")
    hp.Choice("trainable_blocks", [-1, 4, 2])
    hp.Choice("dropout", [0.1, 0.3])
