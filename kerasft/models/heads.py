"""Dropout and output layer on the features of a backbone."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.config import Config
from kerasft.models.graph import is_functional, nodes
from kerasft.models.mutable_scalars import MutableDropout, MutableL1L2
from kerasft.models.towers import initial_weights
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
        labels.num_outputs, kernel_regularizer=penalty, name="head", dtype="float32",
        **initial_weights(config),
    )(x)  # fmt: skip
    return labels.kind.activate(x, labels)


def with_features(model: keras.Model) -> keras.Model | None:
    """Return a model with a second output: the features that the layer `head` reads.

    Args:
        model: Model of a recipe, or the part of it after the frozen prefix.

    Returns:
        The model, or None where there is no such layer, or where it reads no feature vectors.
    """
    if not is_functional(model):
        return None
    # Not `layer.input`, which is that of the first graph that calls the layer.
    found = [node.input_tensors[0] for node in nodes(model) if node.operation.name == "head"]
    if not found or len(found[0].shape) != 2:
        return None
    return keras.Model(model.input, [model.output, found[0]])
