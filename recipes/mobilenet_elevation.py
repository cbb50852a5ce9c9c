"""Estimate camera elevation from a photograph: MobileNetV3 small on small NORB.

24,300 training and 24,300 test photographs of small NORB, the elevation in 9 steps. For a number of
your own: `--dataset houses.csv --label-column price --target-transform log`. Downloads: smallnorb
through TFDS (251 MiB), mobilenet_v3_small_100_imagenet through KerasHub (0.9 million parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    preset: str = "mobilenet_v3_small_100_imagenet"
    dataset: Dataset = Dataset(
        "tfds:smallnorb", image="image", label="label_elevation", train="train", test="test"
    )
    task: str = "regression"
    image_size: int = 128
    trainable_blocks: int = 1
    head_epochs: int = 5
    epochs: int = 20
    learning_rate: float = 3e-4
    head_learning_rate: float = 1e-2
    patience: int = 5


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-5, 1e-3, sampling="log")
    hp.Choice("trainable_blocks", [1, 0, 2])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
