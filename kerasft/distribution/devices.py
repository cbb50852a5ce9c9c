"""The devices of a training: one, as usual, or several."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasft.data.shared_batches import SharedBatches
from kerasft.data.tf_dataset import stream
from kerasft.distribution.ranks import Ranks, find_ranks
from kerasft.errors import SettingError
from kerasft.formatting import counted
from kerasft.models.blocks import flatten_layers

if TYPE_CHECKING:
    from kerasft.distribution.jax_devices import JaxDevices
    from kerasft.distribution.tensorflow_devices import TensorFlowDevices

_FEW = 8  # rows on a device, below which the log has a note
MOST_VIRTUAL = 8  # of a processor: more take minutes to start, and fail


class Devices:
    """One device: nothing is shared. The base of those of JAX and TensorFlow.

    Attributes:
        number: Number of devices of all processes together.
        ranks: The processes.
        kind: What shares the batches, for the record; empty for one device.
        accumulates: Whether gradients of several batches can be accumulated.
        exchanges: Whether processes can exchange arrays that each has computed in part.
        repeats_steps: Whether several steps can run without returning to Python.
    """

    number = 1
    kind = ""
    accumulates = True
    exchanges = False
    repeats_steps = True

    def __init__(self, ranks: Ranks | None = None) -> None:
        self.ranks = ranks or Ranks()
        self._folder: Path | None = None

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which models, optimizers and metrics are made."""
        return contextlib.nullcontext()

    def training(self, model: keras.Model) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which a compiled model is trained."""
        return contextlib.nullcontext()

    def detecting_lost_processes(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context of a fit, which raises LostProcessError if another process ended."""
        return contextlib.nullcontext()

    def share(self, batches: Any) -> Any:
        """Return the batches that this process feeds to `fit`."""
        if self.number > 1:
            batches = SharedBatches(
                batches, devices=self.number, rank=self.ranks.rank, ranks=self.ranks.number
            )
        return stream(batches)

    def on_one_device(self, model: keras.Model) -> keras.Model:
        """Return a model made in `scope`, set to run on one device."""
        return model

    def check(self, model: keras.Model, sizes: tuple[int, ...]) -> None:
        """Refuse a model whose training would differ from that on one device.

        Args:
            model: The model, with its layers frozen as they will be.
            sizes: Numbers of examples of the batches that occur, empty where the recipe makes
                its own.
        """

    def check_same(self, facts: Mapping[str, Any]) -> None:
        """Refuse facts that differ from those of the first process.

        Args:
            facts: Values by name, such as settings and versions.

        Raises:
            SettingError: One of them differs.
        """
        own = {
            name: hashlib.sha256(repr(value).encode()).hexdigest()[:8]
            for name, value in facts.items()
        }
        first = json.loads(self.agree("facts", lambda: json.dumps(own)))
        differing = sorted(name for name in {*own, *first} if own.get(name) != first.get(name))
        if differing:
            raise SettingError(
                f"Process {self.ranks.rank} and the first one differ in: {', '.join(differing)}. "
                "Start all processes with the same settings, data and versions."
            )

    def wait(self, name: str) -> None:
        """Wait until all processes have come to the point of this name."""

    def end_together(self) -> None:
        """Wait for the other processes when this one ends."""

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses: measured times differ between processes."""
        return choose()

    def agree_on_arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the arrays of the first process; the others give arrays of the same shapes."""
        return list(arrays)

    def describe(self) -> dict[str, Any]:
        """Return the record of the devices, empty for one."""
        if self.number == 1:
            return {}
        return {"number": self.number, "processes": self.ranks.number, "kind": self.kind}

    def lines(self, batch_size: int) -> list[str]:
        """Return the log lines about the devices, none for one."""
        if self.number == 1:
            return []
        each = math.ceil(batch_size / self.number)
        processes = f" of {self.ranks.number} processes" if self.ranks.number > 1 else ""
        lines = [
            f"device {self.number} devices{processes}, {self.kind}: batches of {batch_size} "
            f"examples, {counted(each, 'row')} on each"
        ]
        if each < _FEW:
            lines.append(
                f"note   few rows on each device ({each}): see with `kerasft plan` whether so many "
                "devices are worthwhile, or raise --batch-size and the learning rate"
            )
        return lines

    def own_share(self, number: int) -> range:
        """Return the indices of the parts that this process computes, of a number of them."""
        if not self.exchanges:
            return range(number)
        return range(self.ranks.rank, number, self.ranks.number)

    def exchange(self, arrays: Sequence[np.ndarray]) -> None:
        """Fill arrays with what the other processes computed; each has zeros elsewhere."""

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return callbacks of every training."""
        return [_WaitForProcesses(self)] if self.ranks.number > 1 else []

    def own_folder(self, runs_dir: str | Path) -> Path:
        """Return the folder of runs that this process writes: a temporary one unless it is first.

        It exists until the process ends.
        """
        if not self.ranks.rank:
            return Path(runs_dir)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="kerasft-rank-"))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def own_copy(self, folder: Path, runs_dir: str | Path) -> Path:
        """Return the folder of a run to resume: a copy of it unless this process is the first."""
        copy = self.own_folder(runs_dir) / folder.parent.name / folder.name
        if self.ranks.number > 1:
            self.check_same({"the run to resume": _weights(folder)})
        if self.ranks.rank:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
        self.wait("copied")  # the first process changes it from now on
        return copy if self.ranks.rank else folder


def _weights(folder: Path) -> dict[str, str]:
    """Return the hashes of the weights and states of a run."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with open(path, "rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


class _WaitForProcesses(keras.callbacks.Callback):
    """Waits for all processes where a phase and its epochs begin.

    The first one may write for longer than the others wait for it in a step (30 s between CPUs).
    """

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self.devices = devices

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Wait before the training."""
        self.devices.wait("training")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Wait before an epoch."""
        self.devices.wait(f"epoch {epoch}")


def trains_statistics(model: keras.Model) -> bool:
    """Return whether a layer of a model updates statistics of its batches."""
    return any(
        isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        for layer in flatten_layers(model)
    )


def check_batch(batch_size: int, devices: int) -> None:
    """Refuse a batch of fewer examples than there are devices.

    Raises:
        SettingError: A device would get no example.
    """
    if batch_size < devices:
        raise SettingError(
            f"A batch of {batch_size} examples is too small for {devices} devices. Use a larger "
            "`batch_size` or fewer devices."
        )


def check_virtual(number: int) -> None:
    """Refuse more virtual devices of a processor than start within seconds.

    Raises:
        SettingError: There are too many.
    """
    if number > MOST_VIRTUAL:
        raise SettingError(
            f"`devices` is {number}, but this machine has no GPU, and its processor is divided "
            f"into at most {MOST_VIRTUAL} virtual devices. Use fewer, or leave --devices out."
        )


def open_devices(devices: int | str | None = None) -> Devices:
    """Return the devices of a training in this process, together with those of other processes.

    Call it before anything is computed: the number of devices of a process is then fixed.

    Args:
        devices: Number of devices of this process, `all`, or None: one, or all of them where
            environment variables say that this is one of several processes (`find_ranks`). On a
            machine without a GPU, several are virtual ones of its processor, to try things.

    Raises:
        SettingError: There are fewer devices, or the backend cannot share batches.
    """
    ranks = find_ranks(os.environ)
    if devices is None:
        devices = "all" if ranks.number > 1 else 1
    whole = isinstance(devices, int) and not isinstance(devices, bool)
    if devices != "all" and (not whole or int(devices) < 1):
        raise SettingError(
            f"`devices` must be `all` or a number of at least 1. Received: {devices!r}."
        )
    if devices == 1 and ranks.number == 1:
        return Devices(ranks)
    found = devices_class()(devices, ranks)
    return found if found.number > 1 else Devices(found.ranks)


def devices_class() -> type[JaxDevices | TensorFlowDevices]:
    """Return the class of several devices under the backend.

    Raises:
        SettingError: The backend trains on one device.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        from kerasft.distribution.jax_devices import JaxDevices

        return JaxDevices
    if backend == "tensorflow":
        from kerasft.distribution.tensorflow_devices import TensorFlowDevices

        return TensorFlowDevices
    raise SettingError(
        f"The backend {backend} trains on one device. Use KERAS_BACKEND=jax or tensorflow."
    )
