"""Tell 37 breeds of cats and dogs apart: EfficientNet-B0 on the Oxford-IIIT pets.

3,680 training and 3,669 test photographs; the validation split is made from the training
photographs. Downloads: oxford_iiit_pet through TFDS (774 MiB), efficientnet_b0_ra_imagenet
through KerasHub (16 MB).
"""

from __future__ import annotations

from typing import Any

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    """Settings that differ from the common defaults."""

    preset: str = "efficientnet_b0_ra_imagenet"
    dataset: Dataset = Dataset("tfds:oxford_iiit_pet")
    trainable_blocks: int = 2
    head_epochs: int = 2
    epochs: int = 8
    learning_rate: float = 1e-4
    label_smoothing: float = 0.1


def load_data(config: Config) -> kerasft.Data:
    """Read the examples and brings them to arrays."""
    return kerasft.load_data(config)


def build_model(config: Config, data: kerasft.Data) -> Any:
    """Return a keras.Model: backbone, frozen by depth, and head."""
    import keras

    backbone = kerasft.load_backbone(config.preset, pretrained=config.pretrained)
    kerasft.freeze(backbone, config.trainable_blocks, freeze_batch_norm=config.freeze_batch_norm)
    inputs, features = kerasft.image_features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp: Any) -> None:
    """Declare what a search may change; the names are those of Config."""
    hp.Float("learning_rate", 1e-5, 1e-3, sampling="log")
    hp.Choice("trainable_blocks", [2, 1, 3])
    hp.Choice("dropout", [0.2, 0.0, 0.4])
