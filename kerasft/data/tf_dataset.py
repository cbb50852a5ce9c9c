"""Batches on their way into TensorFlow, with as little Python in between as can be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.data.batches import Batches
from kerasft.data.ragged import Ragged

_COPIED = 1 << 30  # bytes of arrays that are given to TensorFlow as a whole


def stream(batches: Any) -> Any:
    """Return batches as Keras trains on them fastest.

    On TensorFlow a `tf.data.Dataset` with the signature of the arrays: Keras would look at the
    first batches to guess it, and call Python for every batch. Arrays of one shape are gathered
    in TensorFlow by the order of the epoch, which is asked for when the epoch begins; texts and
    arrays of different length are put together in Python, ahead of the step that needs them, and
    so are mixed examples.
    Any other `keras.utils.PyDataset`, and every one on other backends, stays what it is.

    Args:
        batches: Their order is theirs: whoever sets `batches.epoch` sets it for the stream.
    """
    if keras.backend.backend() != "tensorflow" or not isinstance(batches, Batches):
        return batches
    arrays = keras.tree.flatten([batches.x, batches.y, batches.sample_weight])
    arrays = [array for array in arrays if array is not None]
    whole = batches.mix is None
    whole = whole and not any(isinstance(array, (Ragged, np.memmap)) for array in arrays)
    whole = whole and (not isinstance(batches.x, dict) or _all_features(batches.x))
    if whole and sum(array.nbytes for array in arrays) <= _COPIED:
        return _gathered(batches)
    return _generated(batches)


def _all_features(x: dict[str, Any]) -> bool:
    """Return whether x holds features of one shape alone, of which nothing is trimmed."""
    return all(array.dtype.kind not in "iu" for array in x.values())


def _parts(batches: Batches) -> tuple[Any, ...]:
    parts = (batches.x, batches.y, batches.sample_weight)
    return tuple(part for part in parts if part is not None)


def _gathered(batches: Batches) -> Any:
    import tensorflow as tf

    tensors = tf.nest.map_structure(tf.constant, _parts(batches))
    orders = tf.data.Dataset.from_generator(
        lambda: iter([batches.order]), output_signature=tf.TensorSpec([None], tf.int64)
    )

    def rows(chosen: Any) -> Any:
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, chosen), tensors)

    found = orders.flat_map(
        lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batches.batch_size)
    ).map(rows)
    return _ahead(found, batches)


def _generated(batches: Batches) -> Any:
    import tensorflow as tf

    def signature(array: Any) -> Any:
        if isinstance(array, Ragged):
            return tf.TensorSpec([None, None, *array.values.shape[1:]], array.dtype)
        text = array.dtype.kind in "iu" and isinstance(batches.x, dict) and array.ndim == 2
        rest = [None] if text else array.shape[1:]
        return tf.TensorSpec([None, *rest], array.dtype)

    signatures = tf.nest.map_structure(signature, _parts(batches))
    found = tf.data.Dataset.from_generator(
        lambda: map(batches.batch, range(len(batches))), output_signature=signatures
    )
    return _ahead(found, batches)


def _ahead(dataset: Any, batches: Batches) -> Any:
    import tensorflow as tf

    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2)
