"""Find the emotions in a comment, several at once: DistilBERT on GoEmotions.

43,410 training, 5,426 validation and 5,427 test comments with any of 28 labels, most of them rare;
the focal loss weighs hard examples more. Downloads: goemotions through TFDS (4 MiB),
distil_bert_base_en_uncased through KerasHub (66 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "distil_bert_base_en_uncased"
    dataset: Dataset = Dataset("tfds:goemotions", text="comment_text", label=(
        "admiration,amusement,anger,annoyance,approval,caring,confusion,curiosity,desire,"
        "disappointment,disapproval,disgust,embarrassment,excitement,fear,gratitude,grief,joy,"
        "love,nervousness,optimism,pride,realization,relief,remorse,sadness,surprise,neutral"
    ))  # fmt: skip
    task: str = "multilabel"
    sequence_length: int = 64
    epochs: int = 3
    learning_rate: float = 5e-05
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1
    loss: str = "focal"


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
