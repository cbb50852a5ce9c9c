"""EinsumDense layers as single matrix products."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


def is_product(layer: Any) -> bool:
    """Return whether a layer is an EinsumDense that can be computed as one matrix product."""
    return type(layer) is keras.layers.EinsumDense and bool(_shared_axes(layer.equation))


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


def call_einsum_dense(
    self: keras.layers.EinsumDense, inputs: Any, training: bool | None = None
) -> Any:
    """Compute `EinsumDense.call` with its contraction as a product of two matrices.

    Keras 3.15 computes the projections of attention, `abc,cde->abde` and `abcd,cde->abe`, as a
    batched product, whose gradient is one kernel per example, summed afterwards. With batch and
    positions merged into one axis, it is a single product.
    """
    shared = _shared_axes(self.equation)
    kernel = ops.convert_to_tensor(self.kernel)
    summed, made = kernel.shape[:shared], kernel.shape[shared:]
    matrix = ops.reshape(kernel, (math.prod(summed), math.prod(made)))
    rows = ops.matmul(ops.reshape(inputs, (-1, math.prod(summed))), matrix)
    x = ops.reshape(rows, (*ops.shape(inputs)[: len(inputs.shape) - shared], *made))
    if self.bias is not None:
        x = ops.add(x, self.bias)
    return x if self.activation is None else self.activation(x)
