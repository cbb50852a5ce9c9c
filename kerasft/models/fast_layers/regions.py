"""Regions: chains of small operations that XLA compiles into one pass over memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kerasft.threads import cores

LEAST_UNITS = 128  # features of a row; with fewer, calling a region takes longer than it saves
_MOST_CORES = 8  # a region uses one or two; the operations of TensorFlow use all
# Rows are padded to these numbers, as XLA compiles every shape anew: a third of a second for all
# regions of a transformer. Regions are a tenth of a step, so the padding costs little.
_ROWS = tuple(1 << power for power in range(6, 31))

_open = 0  # of all threads: TensorFlow traces the replicas of a model in threads of its own


@contextmanager
def fused_regions() -> Iterator[None]:
    """Let layers of `speed_up` use compiled regions in graphs that are traced in the body.

    They are used on TensorFlow on CPUs with up to eight cores. Models that are exported must be
    traced outside: their graphs would need XLA wherever they are served.

    Example:
        >>> with fused_regions():
        ...     model.fit(batches)
    """
    global _open
    _open += 1
    try:
        yield
    finally:
        _open -= 1


def in_region() -> bool:
    """Return whether layers use compiled regions now."""
    return bool(_open) and _worthwhile()


@functools.cache
def _worthwhile() -> bool:
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


def with_gradient(function: Callable[..., Any]) -> Any:
    """Return a function that computes its value and returns the function of its gradient."""
    import tensorflow as tf

    return tf.custom_gradient(function)


def pad_rows(x: Any) -> Any:
    """Return a tensor with as many rows of zeros appended as make their number a common one."""
    import tensorflow as tf

    rows = tf.shape(x)[0]
    more = tf.gather(_ROWS, tf.searchsorted(_ROWS, [rows])[0]) - rows
    return tf.pad(x, [[0, more], *[[0, 0]] * (len(x.shape) - 1)])


def first_rows(padded: Any, x: Any) -> Any:
    """Return the rows of a result that are not padding, in the static shape of the input."""
    import tensorflow as tf

    rows = padded[: tf.shape(x)[0]]
    rows.set_shape(x.shape)
    return rows
