"""Several devices under TensorFlow: a strategy of `tf.distribute`, in one or several processes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft.distribution.devices import Devices, check_virtual, trains_statistics
from kerasft.distribution.keras_corrections import corrected_for_workers
from kerasft.distribution.ranks import Ranks
from kerasft.errors import LostProcessError, SettingError

_LONGEST = 1 << 14  # bytes of what processes agree on
_OTHER_WAY = "On JAX (KERAS_BACKEND=jax) a step sees the whole batch."


class TensorFlowDevices(Devices):
    """The devices of TensorFlow: each has a replica of the model and a part of every batch.

    Args:
        devices: Number of devices of this process, or `all`.
        ranks: The processes.
    """

    accumulates = False
    repeats_steps = False  # a loop in the graph fails in Keras 3.15: a placeholder has no value

    def __init__(self, devices: int | str, ranks: Ranks) -> None:
        super().__init__(ranks)
        local = _local_devices(devices)
        self._strategy = _make_strategy(local, ranks)
        self.number = self._strategy.num_replicas_in_sync
        self.kind = f"{type(self._strategy).__name__} (TensorFlow)"

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the scope of the strategy, in which variables get a copy on every device."""
        scope: contextlib.AbstractContextManager[Any] = self._strategy.scope()
        return scope

    @contextlib.contextmanager
    def training(self, model: keras.Model) -> Iterator[None]:
        """Train a model by the strategy; everything else runs on one device."""
        with self._strategy.scope(), corrected_for_workers(self.ranks.number):
            model._distribute_strategy = self._strategy
            try:
                yield
            finally:
                model._distribute_strategy = None

    def on_one_device(self, model: keras.Model) -> keras.Model:
        """Return a model that was built in the scope, to run on one device until it is trained."""
        model._distribute_strategy = None
        return model

    def share(self, batches: Any) -> Any:
        """Return the batches that this process feeds to `fit`."""
        fed = super().share(batches)
        if self.ranks.number == 1:
            return fed
        return self._strategy.distribute_datasets_from_function(lambda context: fed)

    def check(self, model: keras.Model, sizes: tuple[int, ...]) -> None:
        """Refuse statistics of batches, of which each device sees a part, and rendered batches."""
        if not sizes and self.ranks.number > 1:
            raise SettingError(
                f"Several TensorFlow processes cannot share the recipe's own batches. {_OTHER_WAY}"
            )
        if trains_statistics(model):
            raise SettingError(
                "BatchNormalization is trained, and each of several TensorFlow devices would see "
                f"other statistics. Use --freeze-batch-norm. {_OTHER_WAY}"
            )

    def wait(self, name: str) -> None:
        """Wait until all processes have come to the point of this name."""
        self.agree(name, str)

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses."""
        if self.ranks.number == 1:
            return choose()
        sent = b"" if self.ranks.rank else choose().encode()
        found = self._sum(np.frombuffer(sent.ljust(_LONGEST, b"\0"), "uint8").astype("int32"))
        return bytes(found.astype("uint8")).rstrip(b"\0").decode()

    def agree_on_arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the arrays of the first process."""
        if self.ranks.number == 1:
            return list(arrays)
        return [self._sum(np.zeros_like(each) if self.ranks.rank else each) for each in arrays]

    def _sum(self, array: np.ndarray) -> np.ndarray:
        """Return the sum of the arrays of all processes."""

        def total() -> Any:
            return tf.distribute.get_replica_context().all_reduce("SUM", tf.constant(array))

        summed = tf.function(lambda: self._strategy.run(total))()
        found: np.ndarray = self._strategy.experimental_local_results(summed)[0].numpy()
        return found

    @contextlib.contextmanager
    def detecting_lost_processes(self) -> Iterator[None]:
        """Raise LostProcessError if another process ended."""
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            if self.ranks.number == 1:
                raise
            raise LostProcessError(self.ranks.number, "the connection broke") from error


def _make_strategy(local: list[str], ranks: Ranks) -> Any:
    if ranks.number == 1:
        return tf.distribute.MirroredStrategy(local)
    visible = max(len(tf.config.list_physical_devices("GPU")), len(local))
    if visible > 1:
        raise SettingError(
            f"Several TensorFlow processes train on one device each, and this one sees {visible}"
            ". Start a process for each, with its own CUDA_VISIBLE_DEVICES, or use "
            "KERAS_BACKEND=jax."
        )
    if ranks.source != "TF_CONFIG":
        if len(ranks.addresses) != ranks.number:
            raise SettingError(
                f"TensorFlow needs the addresses of all {ranks.number} processes. Set TF_CONFIG "
                "or KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT,HOST:PORT,..., or use "
                "KERAS_BACKEND=jax."
            )
        task = {"type": "worker", "index": ranks.rank}
        cluster = {"worker": list(ranks.addresses)}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise SettingError(
            "TensorFlow has already started in this process. Set the devices before anything is "
            "computed."
        ) from error


def _local_devices(devices: int | str) -> list[str]:
    """Return the names of the devices of this process; several of a processor are made."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = tf.config.list_physical_devices(kind)
    if devices == "all":
        return [f"{kind}:{index}" for index in range(len(found))]
    number = int(devices)
    if kind == "GPU" and len(found) < number:
        raise SettingError(
            f"`devices` is {number}, but TensorFlow sees {len(found)} GPU(s). Use "
            f"--devices {len(found)} or fewer."
        )
    made = tf.config.get_logical_device_configuration(found[0]) or [None]
    if kind == "CPU" and len(made) < number:
        _set_processors(found[0], number)
    return [f"{kind}:{index}" for index in range(number)]


def _set_processors(processor: Any, number: int) -> None:
    check_virtual(number)
    parts = [tf.config.LogicalDeviceConfiguration()] * number
    try:
        tf.config.set_logical_device_configuration(processor, parts)
    except RuntimeError as error:
        raise SettingError(
            f"TensorFlow has already started with another number of devices than {number}. Restart "
            "Python to use it."
        ) from error
