"""Batch normalization with fixed statistics, folded into the convolution before it.

Keras normalizes by a product and a sum, each of which reads and writes all values. Here the kernel
of the convolution is scaled instead, which has far fewer values, and a bias is added. TensorFlow
fuses convolution, bias and the activation after them, for training too.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasft.models.fast_layers.own_graphs import in_own_graph

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_BATCH_SIZE = 16  # assumed where the graph does not have it


def normalizes_channels(layer: Any) -> bool:
    """Return whether a layer normalizes by the mean and variance of each channel."""
    return type(layer) is keras.layers.BatchNormalization and layer.built and not layer.renorm


def call_batch_norm(
    self: keras.layers.BatchNormalization,
    inputs: Any,
    training: bool | None = None,
    mask: Any = None,
) -> Any:
    """Compute `BatchNormalization.call` by a scaled convolution in place of the one before it.

    TensorFlow prunes the original, unless its output has another use.
    """
    learning = training and self.trainable
    if learning or mask is not None or not in_own_graph() or not _is_foldable(inputs, self.axis):
        return type(self).call(self, inputs, training=training, mask=mask)
    import tensorflow as tf

    variables = (self.moving_mean, self.moving_variance, self.gamma, self.beta)
    dtype = keras.backend.result_type(inputs.dtype.name, "float32")
    mean, variance, gamma, beta = (v if v is None else ops.cast(v, dtype) for v in variables)
    scale = ops.rsqrt(variance + self.epsilon) * (1 if gamma is None else gamma)
    offset = (0 if beta is None else beta) - mean * scale
    return tf.nn.bias_add(_scaled(inputs.op, scale), ops.cast(offset, inputs.dtype))


def _is_foldable(inputs: Any, axis: int) -> bool:
    """Return whether inputs come from a convolution whose kernel is cheaper to scale.

    Their channels must be on the last axis, and they must have at least as many values as it.
    """
    import tensorflow as tf

    if not tf.is_symbolic_tensor(inputs) or inputs.op.type not in _CONVOLUTIONS:
        return False
    values = math.prod(size or 1 for size in (inputs.shape[0] or _BATCH_SIZE, *inputs.shape[1:]))
    unknown = None in inputs.shape[1:]
    made, kernel = inputs.op, inputs.op.inputs[1]
    return (
        axis in (-1, 3)
        and made.get_attr("data_format") == b"NHWC"
        and made.get_attr("padding") in (b"SAME", b"VALID")
        and made.get_attr("dilations") == [1, 1, 1, 1]
        and (unknown or kernel.shape.num_elements() <= values)
    )


def _scaled(convolution: Any, scale: Any) -> Any:
    """Return the output of a convolution with a factor for each of its channels."""
    import tensorflow as tf

    x, kernel = convolution.inputs
    weights = kernel.op.inputs[0] if kernel.op.type == "Cast" else kernel  # not rounded twice
    depthwise = convolution.type == "DepthwiseConv2dNative"
    factor = tf.reshape(scale, kernel.shape[2:]) if depthwise else scale
    kernel = tf.cast(tf.cast(weights, scale.dtype) * factor, kernel.dtype)
    strides, padding = convolution.get_attr("strides"), convolution.get_attr("padding").decode()
    if padding == "VALID" and _pads_as_same(x.op, kernel.shape[:2], strides[1:3]):
        x, padding = x.op.inputs[0], "SAME"
    convolve = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
    return convolve(x, kernel, strides, padding)


def _pads_as_same(operation: Any, kernel: Any, strides: Any) -> bool:
    """Return whether an operation pads with the zeros of the padding SAME."""
    import tensorflow as tf

    if operation.type != "Pad":
        return False
    sides, sizes = tf.get_static_value(operation.inputs[1]), operation.inputs[0].shape[1:3]
    axes = list(zip(sizes, kernel, strides, strict=True))
    if any(size is None and stride > 1 for size, _, stride in axes):
        return False
    expected = [_zeros_of_same(*axis) for axis in axes]
    return bool(np.array_equal(sides, [(0, 0), *expected, (0, 0)]))


def _zeros_of_same(size: int | None, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many zeros the padding SAME adds before and after an axis of an image.

    The size counts where the stride is larger than 1.
    """
    positions = 1 if size is None else -(-size // stride)
    zeros = max((positions - 1) * stride + kernel - (1 if size is None else size), 0)
    return zeros // 2, zeros - zeros // 2
