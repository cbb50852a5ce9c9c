"""Faster graphs for this process; exports have the layers of Keras."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import keras

_open: ContextVar[bool] = ContextVar("own_graphs", default=False)
_exported: ContextVar[bool] = ContextVar("exported_graphs", default=False)


@contextmanager
def true_within(flag: ContextVar[bool]) -> Iterator[None]:
    """Set a flag to True in a `with` block."""
    token = flag.set(True)
    try:
        yield
    finally:
        flag.reset(token)


def own_graphs() -> AbstractContextManager[None]:
    """Let graphs that are traced in the body share traces and fold normalizations.

    Keras keeps the graph of `predict` and `predict_on_batch`: use a model in the body alone, or
    outside alone.

    Example:
        >>> with own_graphs():
        ...     model.predict(x)
    """
    return true_within(_open)


def exported_graphs() -> AbstractContextManager[None]:
    """Let graphs that are traced in the body have the layers of Keras, as exports do.

    A proof compares Python with the export within 1e-5, which folding can exceed.

    Example:
        >>> with exported_graphs():
        ...     predict_arrays(model, x)
    """
    return true_within(_exported)


def in_own_graph() -> bool:
    """Return whether a graph is traced in the body of `own_graphs`, on TensorFlow and CPUs."""
    if not _open.get() or _exported.get() or keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf
    from keras.src.backend.common.stateless_scope import in_stateless_scope

    if tf.executing_eagerly() or tf.distribute.has_strategy() or in_stateless_scope():
        return False
    return not tf.config.list_physical_devices("GPU")  # not measured there
