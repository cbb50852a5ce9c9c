"""Faster training and validation steps."""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from kerasft.models.fast_layers.own_graphs import own_graphs
from kerasft.models.fast_layers.regions import fused_regions


def speed_up_steps(model: keras.Model) -> None:
    """Let the training step of a model use regions, and both its steps be `own_graphs`.

    Steps that a recipe has set are unchanged. Regions are used in training steps alone: an
    exported graph with regions would need XLA wherever it is served.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for name, step in (("train_step", _train_step), ("test_step", _test_step)):
        if name not in vars(model):
            setattr(model, name, MethodType(step, model))


def _train_step(self: keras.Model, data: Any) -> Any:
    with fused_regions(), own_graphs():
        return type(self).train_step(self, data)


def _test_step(self: keras.Model, data: Any) -> Any:
    with own_graphs():
        return type(self).test_step(self, data)
