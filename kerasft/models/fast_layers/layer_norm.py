"""Layer normalization and its gradient, each in one compiled region."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from kerasft.models.fast_layers import regions


def normalizes_rows(layer: Any) -> bool:
    """Return whether a layer normalizes the last axis, with enough features, scale and center."""
    if type(layer) is not keras.layers.LayerNormalization or layer.rms_scaling or not layer.built:
        return False
    # Regions compute in float32; without epsilon, rows of padding would be 0 / 0.
    if layer.compute_dtype == "float64" or layer.epsilon <= 0:
        return False
    both = layer.gamma is not None and layer.beta is not None
    return both and len(layer.gamma.shape) == 1 and layer.gamma.shape[0] >= regions.LEAST_UNITS


def call_layer_norm(self: keras.layers.LayerNormalization, inputs: Any) -> Any:
    """Compute `LayerNormalization.call` in one region, its gradient in another."""
    if not regions.in_region() or _axis(self) not in (-1, len(inputs.shape) - 1):
        return type(self).call(self, inputs)
    gamma, beta = (ops.convert_to_tensor(each) for each in (self.gamma, self.beta))
    rows = ops.reshape(inputs, (-1, gamma.shape[0]))
    normal = _normalize(rows, gamma, beta, float(self.epsilon), inputs.shape[:-1])
    values = ops.reshape(normal, ops.shape(inputs))
    return ops.cast(values, self.compute_dtype)


def _axis(layer: keras.layers.LayerNormalization) -> Any:
    return layer.axis[0] if isinstance(layer.axis, (list, tuple)) else layer.axis


def _normalize(rows: Any, gamma: Any, beta: Any, epsilon: float, row_shape: Any) -> Any:
    forward, backward = regions.compiled_before_use(_functions(epsilon), row_shape)

    @regions.with_gradient
    def apply(x: Any, gamma: Any, beta: Any) -> Any:
        values, mean, scale = forward(x, gamma, beta)
        return values, lambda slope: backward(x, gamma, mean, scale, slope)

    return apply(rows, gamma, beta)


@functools.cache
def _functions(epsilon: float) -> tuple[Any, Any]:
    """Return value and gradient, computed in float32."""
    import tensorflow as tf

    def mean_of(x: Any) -> Any:
        return tf.reduce_mean(x, axis=-1, keepdims=True)

    @regions.compiled
    def normalized(x: Any, gamma: Any, beta: Any) -> tuple[Any, Any, Any]:
        values = tf.cast(x, tf.float32)
        mean = mean_of(values)
        scale = tf.math.rsqrt(mean_of(tf.square(values - mean)) + epsilon)
        made = (values - mean) * scale * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32)
        return tf.cast(made, x.dtype), mean, scale

    @regions.compiled
    def gradients(x: Any, gamma: Any, mean: Any, scale: Any, slope: Any) -> tuple[Any, Any, Any]:
        normal = (tf.cast(x, tf.float32) - mean) * scale
        slope = tf.cast(slope, tf.float32)
        scaled = slope * tf.cast(gamma, tf.float32)
        to_x = scale * (scaled - mean_of(scaled) - normal * mean_of(scaled * normal))
        to_gamma, to_beta = (tf.reduce_sum(each, axis=0) for each in (slope * normal, slope))
        return tf.cast(to_x, x.dtype), tf.cast(to_gamma, gamma.dtype), tf.cast(to_beta, gamma.dtype)

    @regions.traced_once
    def forward(x: Any, gamma: Any, beta: Any) -> tuple[Any, Any, Any]:
        values, mean, scale = normalized(regions.pad(x), gamma, beta)
        return regions.unpad(values, x), mean, scale

    @regions.traced_once
    def backward(x: Any, gamma: Any, mean: Any, scale: Any, slope: Any) -> tuple[Any, Any, Any]:
        to_x, *rest = gradients(regions.pad(x), gamma, mean, scale, regions.pad(slope))
        return regions.unpad(to_x, x), *rest

    return forward, backward
