"""Regions: chains of small operations that XLA compiles into one pass over memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import keras

from kerasft.models.fast_layers.compiled_ahead import compile_ahead
from kerasft.models.fast_layers.own_graphs import true_within
from kerasft.threads import cores

LEAST_UNITS = 128  # features of a row; with fewer, calling a region takes longer than it saves
_MOST_CORES = 8  # a region uses one or two; the operations of TensorFlow use all
# Rows are padded to these numbers, two for each power of two: XLA compiles every shape anew.
_SIZES = tuple(step << power for power in range(6, 29) for step in (2, 3))

_open: ContextVar[bool] = ContextVar("fused_regions", default=False)


def fused_regions() -> AbstractContextManager[None]:
    """Let layers of `speed_up` use compiled regions in graphs that are traced in the body.

    They are used on TensorFlow on CPUs with up to eight cores.

    Example:
        >>> with fused_regions():
        ...     gradients = traced(batch)
    """
    return true_within(_open)


def in_region() -> bool:
    """Return whether layers use compiled regions in the graph that is traced now."""
    if not (_open.get() and worthwhile()):
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()  # where a call of a region takes longer than it saves


@functools.cache
def worthwhile() -> bool:
    """Return whether regions are faster on this machine than the operations of TensorFlow."""
    if keras.backend.backend() != "tensorflow" or cores() > _MOST_CORES:
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function of tensors that XLA compiles for every new shape of its arguments."""
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def traced_once(function: Callable[..., Any]) -> Any:
    """Return a function of tensors that all layers share a trace of."""
    import tensorflow as tf

    return tf.function(function, autograph=False)


def compiled_before_use(
    functions: Sequence[Callable[..., Any]], row_shape: Sequence[int | None]
) -> list[Callable[..., Any]]:
    """Return functions of `traced_once` for calls in a graph, whose regions are compiled ahead.

    Args:
        functions: The functions.
        row_shape: Static shape of what became rows, the first axis of their arguments.
    """

    def call(function: Callable[..., Any], *args: Any) -> Any:
        compile_ahead(function, args, row_shape, padded_rows)
        return function(*args)

    return [functools.partial(call, function) for function in functions]


def with_gradient(function: Callable[..., Any]) -> Any:
    """Return a function that computes its value and returns the function of its gradient."""
    import tensorflow as tf

    return tf.custom_gradient(function)


def padded_rows(rows: int) -> int:
    """Return the number of rows to which `pad` pads."""
    return next((size for size in _SIZES if size >= rows), rows)


def pad(x: Any) -> Any:
    """Append zeros to the first axis of a tensor, up to the next of the common sizes."""
    import tensorflow as tf

    size = tf.shape(x)[0]
    index = tf.minimum(tf.searchsorted(_SIZES, [size])[0], len(_SIZES) - 1)
    more = tf.maximum(tf.gather(_SIZES, index) - size, 0)
    return tf.pad(x, [[0, more], *[[0, 0]] * (len(x.shape) - 1)])


def unpad(padded: Any, x: Any) -> Any:
    """Remove from a result what was appended to a tensor, and restore its static shape."""
    import tensorflow as tf

    made = padded[: tf.shape(x)[0]]
    made.set_shape(x.shape)
    return made
