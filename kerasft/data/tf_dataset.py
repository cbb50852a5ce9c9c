"""Batches as a `tf.data.Dataset`, with as little Python per step as possible."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.data.batches import Batches
from kerasft.data.ragged import Ragged
from kerasft.data.shared_batches import SharedBatches

_COPIED = 1 << 30  # bytes; arrays up to this total size are copied into TensorFlow


def stream(batches: Any) -> Any:
    """Return batches in the form that Keras trains on fastest.

    On TensorFlow this is a `tf.data.Dataset` with an explicit signature. From a PyDataset, Keras
    would infer the signature from the first batches and call Python for every batch. Arrays of
    fixed shape are gathered in TensorFlow, in the order that `batches` has when an epoch begins.
    Texts, arrays of variable length or in files, mixed and chosen examples are assembled in Python
    and prefetched.
    Any other PyDataset, and any PyDataset on another backend, is returned unchanged.

    Args:
        batches: Batches to convert; setting `batches.epoch` also changes the order of the result.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    if isinstance(batches, SharedBatches) and isinstance(batches.batches, Batches):
        return _generated(batches.batches, batches)
    if not isinstance(batches, Batches):
        return batches
    arrays = keras.tree.flatten([batches.x, batches.y, batches.sample_weight])
    arrays = [array for array in arrays if array is not None]
    whole = batches.mix is None and batches.rows is None
    whole = whole and not any(isinstance(array, (Ragged, np.memmap)) for array in arrays)
    whole = whole and (not isinstance(batches.x, dict) or _all_features(batches.x))
    if whole and sum(array.nbytes for array in arrays) <= _COPIED:
        return _gathered(batches)
    return _generated(batches, batches)


def _all_features(x: dict[str, Any]) -> bool:
    """Return whether x holds only features of fixed shape, which need no trimming."""
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


def _generated(batches: Batches, fed: Batches | SharedBatches) -> Any:
    """Return a dataset of batches, or of what is made of them with a weight for each row."""
    import tensorflow as tf

    def signature(array: Any) -> Any:
        if isinstance(array, Ragged):
            return tf.TensorSpec([None, None, *array.values.shape[1:]], array.dtype)
        text = array.dtype.kind in "iu" and isinstance(batches.x, dict) and array.ndim == 2
        rest = [None] if text else array.shape[1:]
        return tf.TensorSpec([None, *rest], array.dtype)

    signatures = tf.nest.map_structure(signature, _parts(batches))
    if isinstance(fed, SharedBatches):
        signatures = (*signatures[:2], tf.TensorSpec([None], tf.float32))
    batch = fed.batch if isinstance(fed, Batches) else fed.__getitem__
    found = tf.data.Dataset.from_generator(
        lambda: map(batch, range(len(fed))), output_signature=signatures
    )
    return _ahead(found, batches)


def _ahead(dataset: Any, batches: Batches) -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    # There is nothing to tune, and the thread that tunes can end seconds after its epoch: the next
    # epoch would wait for it.
    options.autotune.enabled = False
    counted = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return counted.prefetch(2).with_options(options)
