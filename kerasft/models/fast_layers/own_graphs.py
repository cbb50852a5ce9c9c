"""Graphs that a process traces for steps of its own; exported graphs are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras

_open: ContextVar[bool] = ContextVar("own_graphs", default=False)


@contextmanager
def own_graphs() -> Iterator[None]:
    """Let graphs that are traced in the body share traces and fold normalizations.

    Example:
        >>> with own_graphs():
        ...     model.predict(x)
    """
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def in_own_graph() -> bool:
    """Return whether a graph is traced in the body of `own_graphs`, for one CPU on TensorFlow."""
    if not _open.get() or keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf
    from keras.src.backend.common.stateless_scope import in_stateless_scope

    if tf.executing_eagerly() or tf.distribute.has_strategy() or in_stateless_scope():
        return False
    return not tf.config.list_physical_devices("GPU")  # not measured there
