"""Scalars that a compiled graph reads at run time, so that changing one needs no recompilation.

Tracing a training step takes TensorFlow longer than an epoch on a small dataset. Trials of a
search that differ only in such scalars share a graph.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class MutableScalar:
    """A scalar in a variable that Keras does not count among the weights of a layer.

    Args:
        value: Initial value.

    Attributes:
        variable: Variable that the graph reads, float32.

    Example:
        >>> rate = MutableScalar(0.2)
        >>> rate.set(0.4)
        >>> float(rate)
        0.4
    """

    def __init__(self, value: float) -> None:
        self._value = float(value)
        self.variable = keras.Variable(value, dtype="float32", trainable=False)

    def set(self, value: float) -> None:
        """Set the value, for the graph too."""
        self._value = float(value)
        self.variable.assign(value)

    def read(self, dtype: str = "float32") -> Any:
        """Return the value as a tensor."""
        return ops.cast(self.variable, dtype)

    def __float__(self) -> float:
        return self._value  # as it was set, not rounded to float32


@keras.saving.register_keras_serializable(package="kerasft", name="DialedDropout")
class MutableDropout(keras.layers.Dropout):
    """Keras' Dropout with its rate in a mutable scalar.

    It is registered under its name in version 0.1, so that saved models keep loading.

    Args:
        rate: Fraction of the inputs to drop in training, in [0, 1).
    """

    def __init__(self, rate: float, **options: Any) -> None:
        # With a rate of 0 Keras would create no seed generator, but the scalar may be raised later.
        super().__init__(rate or 0.5, **options)
        self.scalar = MutableScalar(rate)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop inputs in training and scale up the rest."""
        if not training:
            return inputs
        rate = self.scalar.read(self.compute_dtype)
        noise = keras.random.uniform(
            ops.shape(inputs), dtype=self.compute_dtype, seed=self.seed_generator
        )
        return inputs * ops.cast(noise >= rate, self.compute_dtype) / (1 - rate)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, with the current rate."""
        return {**super().get_config(), "rate": float(self.scalar)}


@keras.saving.register_keras_serializable(package="kerasft", name="DialedL1L2")
class MutableL1L2(keras.regularizers.Regularizer):
    """L1 and L2 regularization with its factors in mutable scalars.

    Args:
        l1: Factor of the sum of absolute values, >= 0.
        l2: Factor of the sum of squares, >= 0.
    """

    scalars: tuple[str, ...] = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = MutableScalar(l1), MutableScalar(l2)

    def copy_from(self, other: MutableL1L2) -> None:
        """Set the factors to those of another regularizer."""
        for name in self.scalars:
            getattr(self, name).set(float(getattr(other, name)))

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a kernel."""
        absolute = self.l1.read(x.dtype) * ops.sum(ops.abs(x))
        return absolute + self.l2.read(x.dtype) * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, with the current factors."""
        return {"l1": float(self.l1), "l2": float(self.l2)}
