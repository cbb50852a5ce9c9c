"""Embeddings that read the rows of a batch, where Keras reads the whole table."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def looks_up_rows(layer: Any) -> bool:
    """Return whether a layer is an Embedding or a ReversibleEmbedding of Keras or KerasHub."""
    kind = type(layer)
    known = kind.__module__.startswith(("keras.", "keras_hub."))
    return known and kind.__name__ in ("Embedding", "ReversibleEmbedding")


def call_embedding(self: keras.layers.Embedding, inputs: Any, **options: Any) -> Any:
    """Compute `Embedding.call` by a gather on the variable.

    Keras reads the variable first. TensorFlow copies a variable at every read as soon as single
    rows of it have been updated: 47 MB in every step of MiniLM.

    Args:
        self: The layer.
        inputs: Indices of rows; negative ones count from the end, as in Keras.
        **options: `reverse`, passed on to the method of the class.
    """
    import tensorflow as tf

    table = self.embeddings
    usual = isinstance(table, keras.Variable) and isinstance(inputs, tf.Tensor)
    if any(options.values()) or not usual:
        return type(self).call(self, inputs, **options)
    indices = inputs if inputs.dtype in (tf.int32, tf.int64) else tf.cast(inputs, tf.int32)
    indices = tf.where(indices < 0, indices + self.input_dim, indices)
    return ops.cast(tf.gather(table.value, indices), self.compute_dtype)
