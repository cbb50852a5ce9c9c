"""Training and validation steps with what makes their layers fast."""

from __future__ import annotations

from types import MethodType
from typing import Any

import keras

from kerasft.models.fast_layers.regions import fused_regions
from kerasft.models.fast_layers.shared_trace import shared_traces


def speed_up_steps(model: keras.Model) -> None:
    """Let the training step of a model use regions, and blocks share a trace in both its steps.

    A step that a recipe has set stays as it is. Everything else that is traced with the layers has
    none of it, also by a callback of a fit: an exported graph with regions would need XLA wherever
    it is served.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for name, step in (("train_step", _train_step), ("test_step", _test_step)):
        if name not in vars(model):
            setattr(model, name, MethodType(step, model))


def _train_step(self: keras.Model, data: Any) -> Any:
    with fused_regions(), shared_traces():
        return type(self).train_step(self, data)


def _test_step(self: keras.Model, data: Any) -> Any:
    with shared_traces():
        return type(self).test_step(self, data)
