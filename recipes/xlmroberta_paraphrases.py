"""Tell whether two Chinese sentences say the same: XLM-RoBERTa on PAWS-X.

49,401 training pairs, translated by a machine, 2,000 validation and 2,000 test pairs, by people; zh
may be de, es, fr, ja or ko. The model reads 100 languages: your own texts by --dataset.
Downloads: paws_x_wiki/zh through TFDS (29 MiB), xlm_roberta_base_multi through KerasHub (277
million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "xlm_roberta_base_multi"
    dataset: Dataset = Dataset("tfds:paws_x_wiki/zh", text="sentence1", text_pair="sentence2")
    sequence_length: int = 128
    epochs: int = 3
    learning_rate: float = 2e-05
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1
    freeze_embeddings: bool = True


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
