"""Batch normalization with fixed statistics, folded into the convolution before it.

Keras normalizes by a product and a sum, each of which reads and writes all values. Here the kernel
of the convolution is scaled instead, which has far fewer values, and a bias is added. TensorFlow
fuses convolution, bias and the activation after them, for training too.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasft.models.fast_layers.own_graphs import in_own_graph

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def normalizes_channels(layer: Any) -> bool:
    """Return whether a layer normalizes by the mean and variance of each channel."""
    return type(layer) is keras.layers.BatchNormalization and layer.built and not layer.renorm


def call_batch_norm(
    self: keras.layers.BatchNormalization,
    inputs: Any,
    training: bool | None = None,
    mask: Any = None,
) -> Any:
    """Compute `BatchNormalization.call`; the convolution that made the inputs is computed anew.

    The first one is left without a use, and TensorFlow removes it from the graph.
    """
    learning = training and self.trainable
    if learning or mask is not None or not in_own_graph() or not _is_convolved(inputs, self.axis):
        return type(self).call(self, inputs, training=training, mask=mask)
    import tensorflow as tf

    scale = ops.rsqrt(self.moving_variance + self.epsilon)
    scale = scale if self.gamma is None else scale * self.gamma
    offset = -self.moving_mean * scale
    offset = offset if self.beta is None else offset + self.beta
    return tf.nn.bias_add(_scaled(inputs.op, scale), ops.cast(offset, inputs.dtype))


def _is_convolved(inputs: Any, axis: int) -> bool:
    """Return whether a tensor comes from a convolution, with its channels on the last axis."""
    import tensorflow as tf

    if not tf.is_symbolic_tensor(inputs) or inputs.op.type not in _CONVOLUTIONS:
        return False
    last = axis in (-1, 3) and inputs.op.get_attr("data_format") == b"NHWC"
    return last and inputs.op.get_attr("padding") in (b"SAME", b"VALID")


def _scaled(made: Any, scale: Any) -> Any:
    """Return the convolution of an operation, with a factor for every channel of its output."""
    import tensorflow as tf

    x, kernel = made.inputs
    weights = kernel.op.inputs[0] if kernel.op.type == "Cast" else kernel  # not rounded twice
    depthwise = made.type == "DepthwiseConv2dNative"
    factor = tf.reshape(scale, kernel.shape[2:]) if depthwise else scale
    kernel = tf.cast(weights * tf.cast(factor, weights.dtype), kernel.dtype)
    strides, padding = made.get_attr("strides"), made.get_attr("padding").decode()
    if padding == "VALID" and strides == [1, 1, 1, 1] and _is_same(x.op, kernel.shape[:2]):
        x, padding = x.op.inputs[0], "SAME"
    convolve = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
    return convolve(x, kernel, strides, padding, dilations=made.get_attr("dilations")[1:3])


def _is_same(pad: Any, size: Any) -> bool:
    """Return whether an operation pads with as many zeros as a kernel of this size needs."""
    import tensorflow as tf

    if pad.type != "Pad":
        return False
    sides = tf.get_static_value(pad.inputs[1])
    if sides is None or any(length % 2 == 0 for length in size):
        return False
    expected = [[0, 0], *([length // 2, length // 2] for length in size), [0, 0]]
    return bool((sides == expected).all())
