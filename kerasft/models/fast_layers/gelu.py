"""Dense layers that end in GELU: bias, GELU and their gradients in two compiled regions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasft.models.fast_layers import regions

_CUBIC, _SCALE = 0.044715, math.sqrt(2 / math.pi)  # of Hendrycks and Gimpel 2016, arXiv 1606.08415


def ends_in_gelu(layer: Any) -> bool:
    """Return whether a layer is a Dense layer with a bias, enough units and GELU."""
    return (
        type(layer) is keras.layers.Dense
        and layer.built
        and layer.compute_dtype != "float64"  # regions compute in float32
        and layer.bias is not None
        and layer.units >= regions.LEAST_UNITS
        and _kind(layer.activation) is not None
    )


def call_dense(self: keras.layers.Dense, inputs: Any, training: bool | None = None) -> Any:
    """Compute `Dense.call`, with bias and GELU in one region."""
    kind = _kind(self.activation)
    if kind is None or not regions.in_region():
        return type(self).call(self, inputs, training=training)
    kernel = ops.convert_to_tensor(self.kernel)
    products = ops.matmul(ops.reshape(inputs, (-1, kernel.shape[0])), kernel)
    values = _bias_gelu(products, ops.convert_to_tensor(self.bias), kind, inputs.shape[:-1])
    return ops.reshape(values, (*ops.shape(inputs)[:-1], self.units))


def _bias_gelu(products: Any, bias: Any, kind: str, row_shape: Any) -> Any:
    forward, backward = regions.compiled_before_use(_functions(kind), row_shape)

    @regions.with_gradient
    def apply(x: Any, bias: Any) -> Any:
        return forward(x, bias), lambda slope: backward(x, bias, slope)

    return apply(products, bias)


@functools.cache
def _functions(kind: str) -> tuple[Any, Any]:
    """Return value and gradient of a kind of GELU with a bias, computed in float32."""
    import tensorflow as tf

    value, derivative = _KINDS[kind]

    def biased(x: Any, bias: Any) -> Any:
        return tf.cast(x, tf.float32) + tf.cast(bias, tf.float32)

    @regions.compiled
    def values(x: Any, bias: Any) -> Any:
        return tf.cast(value(biased(x, bias)), x.dtype)

    @regions.compiled
    def gradients(x: Any, bias: Any, slope: Any) -> tuple[Any, Any]:
        found = derivative(biased(x, bias)) * tf.cast(slope, tf.float32)
        return tf.cast(found, x.dtype), tf.cast(tf.reduce_sum(found, axis=0), bias.dtype)

    @regions.traced_once
    def forward(x: Any, bias: Any) -> Any:
        return regions.unpad(values(regions.pad(x), bias), x)

    @regions.traced_once
    def backward(x: Any, bias: Any, slope: Any) -> tuple[Any, Any]:
        to_x, to_bias = gradients(regions.pad(x), bias, regions.pad(slope))
        return regions.unpad(to_x, x), to_bias

    return forward, backward


def _by_tanh(z: Any) -> Any:
    return 0.5 * z * (1 + ops.tanh(_SCALE * (z + _CUBIC * z * z * z)))


def _by_tanh_derivative(z: Any) -> Any:
    t = ops.tanh(_SCALE * (z + _CUBIC * z * z * z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * _SCALE * (1 + 3 * _CUBIC * z * z)


def _by_erf(z: Any) -> Any:
    return 0.5 * z * (1 + ops.erf(z / math.sqrt(2)))


def _by_erf_derivative(z: Any) -> Any:
    return 0.5 * (1 + ops.erf(z / math.sqrt(2))) + z * ops.exp(-z * z / 2) / math.sqrt(2 * math.pi)


_KINDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (_by_tanh, _by_tanh_derivative),
    "erf": (_by_erf, _by_erf_derivative),
}


def _kind(activation: Any) -> str | None:
    """Return the name of the GELU that an activation is, None for others."""
    named = "gelu" in getattr(activation, "__name__", "")
    return _kind_by_values(activation) if named and isinstance(activation, Hashable) else None


@functools.cache
def _kind_by_values(activation: Any) -> str | None:
    import tensorflow as tf

    with tf.init_scope():  # values, also while a graph is traced
        points = tf.constant(np.linspace(-4, 4, 41, dtype="float32"))
        found = activation(points).numpy()
        for name, (value, _) in _KINDS.items():
            # The two kinds differ by up to 5e-4.
            if np.allclose(found, value(points).numpy(), atol=1e-5):
                return name
    return None
