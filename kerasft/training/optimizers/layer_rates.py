"""Learning rates that differ from weight to weight: a share of the one rate for each."""

from __future__ import annotations

from typing import Any

import keras


class ByDepth:
    """Makes a Keras optimizer read the share of the rate that a weight has.

    `rate_scale` of a variable is that share, 1 where it has none (`kerasft.models.adaptation`).
    Keras has one rate for all. What an optimizer decays by itself (`weight_decay`) is decayed at
    the whole rate, but by Adam and AdamW.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable with its share of the rate."""
        own = self._trainable_variables[self._get_variable_index(variable)]  # type: ignore[attr-defined]
        rate = keras.ops.cast(learning_rate, "float32") * rate_scale(own)
        super().update_step(gradient, variable, rate)  # type: ignore[misc]

    def _use_weight_decay(self, variable: Any) -> bool:
        """Leave out every vector: decaying scales and shifts pulls towards nothing useful.

        By their shape, as families call the scales of their norms what they like.
        """
        return len(variable.shape) > 1 and bool(super()._use_weight_decay(variable))  # type: ignore[misc]


def rate_scale(variable: Any) -> float:
    """Return the share of the learning rate that a variable has."""
    return float(getattr(variable, "rate_scale", 1.0))


@keras.saving.register_keras_serializable(package="kerasft")
class SGD(ByDepth, keras.optimizers.SGD):
    """Keras' SGD."""


@keras.saving.register_keras_serializable(package="kerasft")
class RMSprop(ByDepth, keras.optimizers.RMSprop):
    """Keras' RMSprop."""


@keras.saving.register_keras_serializable(package="kerasft")
class Lion(ByDepth, keras.optimizers.Lion):
    """Keras' Lion."""
