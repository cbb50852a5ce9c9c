"""EinsumDense layers as single matrix products, for faster gradients on TensorFlow."""

from __future__ import annotations

import math
from types import MethodType
from typing import Any

import keras
from keras import ops

from kerasft.models.blocks import flatten_layers


def multiply_as_matrices(model: keras.Model) -> None:
    """Compute the EinsumDense layers of a model as matrix products, on TensorFlow.

    Keras 3.15 computes the projections of attention, `abc,cde->abde` and `abcd,cde->abe`, as a
    batched product, whose gradient is one kernel per example, summed afterwards. With batch and
    positions merged into one axis, it is a single product. In bfloat16 the gradient of MiniLM
    takes 149 ms instead of 174 ms; in float32 there is no measurable gain (two CPU cores,
    `python -m tests.benchmarks.step_parts`). Values are the same up to rounding; config and saved
    files do not change.

    Args:
        model: Model whose layers, nested ones included, are changed in place.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in flatten_layers(model):
        if isinstance(layer, keras.layers.EinsumDense) and _shared_axes(layer.equation):
            layer.call = MethodType(_call, layer)


def _shared_axes(equation: str) -> int:
    """Return the number of summed axes if they are last in the input and first in the kernel.

    It is 0 for all other equations.

    Example:
        >>> _shared_axes("abcd,cde->abe"), _shared_axes("abc,dc->abd")
        (2, 0)
    """
    given, _, output = equation.partition("->")
    inputs, _, kernel = given.partition(",")
    shared = sum(axis in inputs for axis in kernel)
    plain = inputs[len(inputs) - shared :] == kernel[:shared]
    fits = output == inputs[: len(inputs) - shared] + kernel[shared:]
    return shared if plain and fits and "." not in equation else 0


def _call(self: keras.layers.EinsumDense, inputs: Any, training: bool | None = None) -> Any:
    """Compute `EinsumDense.call` with its contraction as a product of two matrices."""
    shared = _shared_axes(self.equation)
    kernel = ops.convert_to_tensor(self.kernel)
    summed, made = kernel.shape[:shared], kernel.shape[shared:]
    matrix = ops.reshape(kernel, (math.prod(summed), math.prod(made)))
    rows = ops.matmul(ops.reshape(inputs, (-1, math.prod(summed))), matrix)
    x = ops.reshape(rows, (*ops.shape(inputs)[: len(inputs.shape) - shared], *made))
    if self.bias is not None:
        x = ops.add(x, self.bias)
    return x if self.activation is None else self.activation(x)
