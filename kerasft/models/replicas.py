"""Means over the replicas of a TensorFlow strategy, each of which sees a part of a batch.

On JAX a step sees the whole batch, whatever the number of devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def mean_over_replicas(value: Any) -> Any:
    """Return the mean of a scalar over the replicas that run this step, itself where one does."""
    if keras.backend.backend() != "tensorflow" or count_replicas() == 1:
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """Return the sums of the gradients of all replicas that run this step."""
    if count_replicas() == 1:
        return gradients
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))


def update_replicas(update: Callable[..., None], variable: Any, *values: Any) -> None:
    """Call `update(variable, *values)` with the copies of each replica."""
    if count_replicas() == 1:
        update(variable, *values)
        return
    import tensorflow as tf

    def update_all(strategy: Any, *merged: Any) -> None:
        strategy.extended.update(variable, update, args=merged, group=False)

    tf.distribute.get_replica_context().merge_call(update_all, args=values)


def count_replicas() -> int:
    """Return the number of replicas of which this step is one, 1 outside a step."""
    import tensorflow as tf

    if not tf.distribute.has_strategy() or tf.distribute.get_replica_context() is None:
        return 1
    return int(tf.distribute.get_strategy().num_replicas_in_sync)
