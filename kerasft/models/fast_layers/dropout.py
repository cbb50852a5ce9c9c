"""Dropout with a mask that is recomputed for the gradient instead of stored."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from kerasft.models.fast_layers import regions


def drops_values(layer: Any) -> bool:
    """Return whether a layer is Keras' Dropout of single values."""
    single = type(layer) is keras.layers.Dropout and layer.noise_shape is None
    return single and layer.compute_dtype != "float64"  # regions compute in float32


def call_dropout(self: keras.layers.Dropout, inputs: Any, training: bool = False) -> Any:
    """Compute `Dropout.call` in one region, its gradient by the same region."""
    if not (training and 0 < self.rate < 1 and regions.in_region()):
        return type(self).call(self, inputs, training=training)
    flat = ops.reshape(inputs, (-1,))
    seed = ops.cast(self.seed_generator.next(), "uint32")
    return ops.reshape(_drop(flat, seed, self.rate, inputs.shape), ops.shape(inputs))


def _drop(values: Any, seed: Any, rate: float, row_shape: Any) -> Any:
    import tensorflow as tf

    (drop,) = regions.compiled_before_use([_function()], row_shape)
    limit, scale = tf.constant(int(rate * 2**32), tf.uint32), tf.constant(1 / (1 - rate))

    @regions.with_gradient
    def apply(x: Any) -> Any:
        return drop(x, seed, limit, scale), lambda dy: drop(dy, seed, limit, scale)

    return apply(values)


@functools.cache
def _function() -> Any:
    """Return dropout of a vector, which is its own gradient.

    A value is kept if a hash of its position and the seed is at or above a limit. Philox, the
    generator of TensorFlow, takes most of the time of a dropout layer, and far more if XLA
    compiles it.
    """
    import tensorflow as tf

    @regions.compiled
    def region(x: Any, seed: Any, limit: Any, scale: Any) -> Any:
        position = tf.cast(tf.range(tf.size(x)), tf.uint32)
        # Layers have seed[0] of their own, and count their steps in seed[1]. All three are mixed
        # apart: otherwise the masks of two layers could be the same one, shifted.
        random = _mix(_mix(position) ^ _mix(seed[0] ^ _mix(seed[1])))
        return tf.where(random >= limit, x * tf.cast(scale, x.dtype), tf.zeros_like(x))

    @regions.traced_once
    def drop(x: Any, seed: Any, limit: Any, scale: Any) -> Any:
        return regions.unpad(region(regions.pad(x), seed, limit, scale), x)

    return drop


def _mix(bits: Any) -> Any:
    """Return a hash of 32 bits, the finalizer `lowbias32` (Wellons 2018, hash-prospector)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        bits = (bits ^ _right(bits, shift)) * factor
    return bits


def _right(bits: Any, places: int) -> Any:
    import tensorflow as tf

    return tf.bitwise.right_shift(bits, tf.constant(places, tf.uint32))
