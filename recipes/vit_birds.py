"""Tell 200 species of birds apart: a Vision Transformer on Caltech's birds.

5,994 training and 5,794 test photographs, 30 a species: few, so lower layers learn by smaller
steps. For a GPU.
Downloads: caltech_birds2011 through TFDS (1.1 GiB), vit_base_patch16_224_imagenet21k through
KerasHub (85.8 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "vit_base_patch16_224_imagenet21k"
    dataset: Dataset = Dataset("tfds:caltech_birds2011")
    trainable_blocks: int = 4
    epochs: int = 8
    learning_rate: float = 0.0001
    layer_decay: float = 0.8


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 3e-4, sampling="log")
    hp.Choice("trainable_blocks", [4, 2, -1])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
