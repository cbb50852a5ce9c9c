"""Two corrections of Keras 3.15 for fits of several TensorFlow processes.

With `MultiWorkerMirroredStrategy` Keras' `fit` fails: it averages metrics over an axis that they
do not have, and feeds a distributed batch to a symbolic build that a built model does not need.
The report is https://github.com/keras-team/keras/issues/20585. Later versions are left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

_CORRECTED = "3.15."


@contextlib.contextmanager
def corrected_for_workers(processes: int) -> Iterator[None]:
    """Correct Keras for the body, where several processes train and the version needs it."""
    if processes == 1 or not keras.__version__.startswith(_CORRECTED):
        yield
        return
    from keras.src.backend.tensorflow import trainer

    kind = trainer.TensorFlowTrainer
    before = trainer.reduce_per_replica, kind._maybe_symbolic_build
    trainer.reduce_per_replica = _mean_of_scalars
    kind._maybe_symbolic_build = lambda self, iterator=None, data_batch=None: None
    try:
        yield
    finally:
        trainer.reduce_per_replica, kind._maybe_symbolic_build = before


def _mean_of_scalars(values: Any, strategy: Any, reduction: str) -> Any:
    """Return the mean of each value over all replicas."""
    return keras.tree.map_structure(lambda value: strategy.reduce("MEAN", value, axis=None), values)
