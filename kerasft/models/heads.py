"""Dropout and output layer on the features of a backbone."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.config import Config
from kerasft.models.mutable_scalars import MutableDropout, MutableL1L2
from kerasft.tasks import Labels


def head(features: Any, config: Config, labels: Labels) -> Any:
    """Add Dropout and the output layer, with its L1 and L2 penalty.

    Outputs are probabilities of the classes (softmax, or one sigmoid per label), or a number in
    the unit of the target.

    Args:
        features: Feature vectors of shape (batch, width).
        config: Config with dropout, kernel_l1 and kernel_l2.
        labels: Meaning of the outputs.

    Returns:
        Shape (batch, classes), or (batch, 1) for a number; always float32.
    """
    x = MutableDropout(config.dropout, name="dropout", dtype="float32")(features)
    penalty = None
    if config.kernel_l1 or config.kernel_l2:
        penalty = MutableL1L2(config.kernel_l1, config.kernel_l2)
    x = keras.layers.Dense(
        labels.num_outputs, kernel_regularizer=penalty, name="head", dtype="float32"
    )(x)
    return labels.kind.activate(x, labels)
