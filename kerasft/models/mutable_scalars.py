"""Numbers that a compiled graph reads when it runs, so that changing one compiles nothing.

Tracing a training step takes TensorFlow longer than training a small set for an epoch. Trials of
a search that differ in such numbers alone run the same graph.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class MutableScalar:
    """A number in a variable that Keras does not count among a layer's weights.

    Args:
        value: At the beginning.

    Attributes:
        variable: What a graph reads.

    Example:
        >>> rate = Dial(0.2)
        >>> rate.set(0.4)
        >>> float(rate)
        0.4
    """

    def __init__(self, value: float) -> None:
        self._value = float(value)
        self.variable = keras.Variable(value, dtype="float32", trainable=False)

    def set(self, value: float) -> None:
        """Change the number."""
        self._value = float(value)
        self.variable.assign(value)

    def read(self, dtype: str = "float32") -> Any:
        """Return the number as a tensor."""
        return ops.cast(self.variable, dtype)

    def __float__(self) -> float:
        return self._value  # as it was given, not as float32 has it


@keras.saving.register_keras_serializable(package="kerasft", name="DialedDropout")
class MutableDropout(keras.layers.Dropout):
    """Keras' Dropout with its rate in a mutable scalar.

    It is registered under its name of version 0.1, so that saved models keep loading.

    Args:
        rate: Share of the inputs that is dropped in training, in [0, 1).
    """

    def __init__(self, rate: float, **options: Any) -> None:
        # With a rate of 0 Keras makes no seeds, and the layer would pass for deterministic; the
        # scalar may be raised.
        super().__init__(rate or 0.5, **options)
        self.scalar = MutableScalar(rate)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop in training, and scales what is left."""
        if not training:
            return inputs
        rate = self.scalar.read(self.compute_dtype)
        noise = keras.random.uniform(
            ops.shape(inputs), dtype=self.compute_dtype, seed=self.seed_generator
        )
        return inputs * ops.cast(noise >= rate, self.compute_dtype) / (1 - rate)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "rate": float(self.scalar)}


@keras.saving.register_keras_serializable(package="kerasft", name="DialedL1L2")
class MutableL1L2(keras.regularizers.Regularizer):
    """An L1 and L2 penalty with its factors in mutable scalars.

    Args:
        l1: Factor of the sum of absolute values.
        l2: Factor of the sum of squares.
    """

    scalars: tuple[str, ...] = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = MutableScalar(l1), MutableScalar(l2)

    def take_over(self, other: MutableL1L2) -> None:
        """Set the factors to those of another."""
        for name in self.scalars:
            getattr(self, name).set(float(getattr(other, name)))

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a kernel."""
        absolute = self.l1.read(x.dtype) * ops.sum(ops.abs(x))
        return absolute + self.l2.read(x.dtype) * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the regularizer."""
        return {"l1": float(self.l1), "l2": float(self.l2)}
