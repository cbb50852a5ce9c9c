"""Keras' optimizers with a learning rate per weight (layer decay) and an average per step."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.models.keras_attributes import get_rate_scale
from kerasft.models.replicas import count_replicas, sum_over_replicas


class ByDepth:
    """Mixin that scales the learning rate of each weight by its share.

    The share is an annotation of the variable, 1 by default (`kerasft.models.keras_attributes`).
    `weight_decay` is applied at the unscaled rate, except by Adam and AdamW.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable with its share of the learning rate."""
        own = self._trainable_variables[self._get_variable_index(variable)]  # type: ignore[attr-defined]
        rate = keras.ops.cast(learning_rate, "float32") * get_rate_scale(own)
        super().update_step(gradient, variable, rate)  # type: ignore[misc]

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Clip the sum of the gradients of all replicas, of which each applies its share."""
        clips = self.clipnorm or self.clipvalue or self.global_clipnorm  # type: ignore[attr-defined]
        if not clips or keras.backend.backend() != "tensorflow" or count_replicas() == 1:
            return list(super()._clip_gradients(grads))  # type: ignore[misc]
        clipped = super()._clip_gradients(sum_over_replicas(grads))  # type: ignore[misc]
        return [keras.ops.convert_to_tensor(g) / count_replicas() for g in clipped]

    def _use_weight_decay(self, variable: Any) -> bool:
        """Exclude every vector: decaying scales and shifts is of no use.

        Vectors are found by shape, as families name the scales of their norms differently.
        """
        return len(variable.shape) > 1 and bool(super()._use_weight_decay(variable))  # type: ignore[misc]

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        """Average after each step: Keras does so after each batch of accumulated gradients.

        It begins at the weights after the first step, as in Keras.
        """
        batches = self.gradient_accumulation_steps or 1  # type: ignore[attr-defined]
        step = self._iterations  # type: ignore[attr-defined]
        share = keras.ops.where(step < batches, 1.0, 1.0 - self.ema_momentum)  # type: ignore[attr-defined]
        share = keras.ops.where((step + 1) % batches == 0, share, 0.0)
        averages = self._model_variables_moving_average  # type: ignore[attr-defined]
        for variable, average in zip(trainable_variables, averages, strict=True):
            average.assign_add(share * (variable - average))


@keras.saving.register_keras_serializable(package="kerasft")
class SGD(ByDepth, keras.optimizers.SGD):
    """Keras' SGD."""


@keras.saving.register_keras_serializable(package="kerasft")
class RMSprop(ByDepth, keras.optimizers.RMSprop):
    """Keras' RMSprop."""


@keras.saving.register_keras_serializable(package="kerasft")
class Lion(ByDepth, keras.optimizers.Lion):
    """Keras' Lion."""
