"""Several devices under JAX: `keras.distribution.DataParallel`, in one or several processes."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np

from kerasft.display import status
from kerasft.distribution.devices import MOST_VIRTUAL, Devices, check_virtual, trains_statistics
from kerasft.distribution.jax_processes import TIMEOUT, ProcessGroup
from kerasft.distribution.last_words import say_if_aborted
from kerasft.distribution.ranks import Ranks
from kerasft.errors import KerasftError, LostProcessError, ResourceError, SettingError, first_line
from kerasft.reachable_hosts import connection_error
from kerasft.threads import cores, use_batch_scheduling

_START = 300  # seconds in which all processes must have started
_SPARE = 60  # seconds after which JAX aborts a process that still waits
_END = 30  # seconds that a process waits at its end for others
_EXCHANGED = 1 << 24  # bytes that each process sends at once
_LOST = ("Gloo", "NCCL", "coordination service")


class JaxDevices(Devices):
    """The devices of JAX: a step sees the whole batch, so that nothing differs from one device.

    Variables move to all devices for a training, and back: everything else runs on one device.

    Args:
        devices: Number of devices of this process, or `all`.
        ranks: The processes.
    """

    kind = "keras.distribution.DataParallel (JAX)"

    def __init__(self, devices: int | str, ranks: Ranks) -> None:
        super().__init__(ranks)
        self._processes = _begin(devices, ranks)
        local = _local_devices(devices, ranks)
        self.number = len(local) * ranks.number
        self.accumulates = ranks.number == 1
        self.exchanges = ranks.number > 1
        chosen = jax.devices() if ranks.number > 1 else local
        self._distribution = keras.distribution.DataParallel(
            devices=[f"{device.platform}:{device.id}" for device in chosen],
            auto_shard_dataset=False,
        )

    @contextlib.contextmanager
    def training(self, model: keras.Model) -> Iterator[None]:
        """Hold the variables of a compiled model on all devices."""
        variables = _variables(model)
        with self._distribution.scope():
            _move(variables, self._distribution.get_variable_layout)
            try:
                yield
            finally:
                _move(_variables(model), lambda variable: None)

    def check(self, model: keras.Model, sizes: tuple[int, ...]) -> None:
        """Refuse rows of weight 0 in the statistics of BatchNormalization."""
        if not trains_statistics(model):
            return
        uneven = [size for size in sizes if size % self.number]
        if uneven or not sizes:
            what = f"a batch of {uneven[0]} examples" if uneven else "the recipe's own batches"
            raise SettingError(
                f"BatchNormalization is trained, and {what} may not divide by {self.number} "
                "devices. Use --freeze-batch-norm, another --batch-size or fewer --devices."
            )

    def wait(self, name: str) -> None:
        """Wait until all processes have come to the point of this name."""
        if self._processes is not None:
            self._processes.wait(name)

    def end_together(self) -> None:
        """Wait for the other processes when this one ends."""
        if self._processes is not None:
            self._processes.end_together()

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses."""
        return choose() if self._processes is None else self._processes.agree(name, choose)

    def agree_on_arrays(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the arrays of the first process."""
        if self._processes is None:
            return list(arrays)
        found = [np.zeros_like(array) if self.ranks.rank else array.copy() for array in arrays]
        self.exchange(found)
        return found

    def exchange(self, arrays: Sequence[np.ndarray]) -> None:
        """Fill arrays with what the other processes computed; each has zeros elsewhere."""
        from jax.experimental.multihost_utils import process_allgather

        self.wait("exchange")
        for array in arrays:
            rows = max(1, _EXCHANGED // max(array[:1].nbytes, 1))
            for begin in range(0, len(array), rows):
                part = array[begin : begin + rows]
                part[...] = np.asarray(process_allgather(part)).sum(axis=0, dtype=part.dtype)

    @contextlib.contextmanager
    def detecting_lost_processes(self) -> Iterator[None]:
        """Raise LostProcessError if another process ended."""
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:  # ValueError: of gloo
            self._fail()
            lost = any(word in str(error) for word in _LOST)
            if self._processes is None or isinstance(error, KerasftError) or not lost:
                raise
            raise LostProcessError(self.ranks.number, "the connection broke") from error
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> None:
        if self._processes is not None:
            self._processes.fail()


def _begin(devices: int | str, ranks: Ranks) -> ProcessGroup | None:
    """Fix the number of devices of the processor, where GPUs are not used; connect processes."""
    if devices != "all":
        _set_processors(min(int(devices), MOST_VIRTUAL))  # with more, JAX takes long to refuse
    if ranks.number == 1:
        return None
    if not jax.distributed.is_initialized():
        # Between CPUs, a thread of gloo woke up while another one sent, and spun for its lock until
        # the next tick (4 ms): for each larger sum of gradients, wherever both share a core.
        use_batch_scheduling()
        _connect(ranks)
    return _group_of(ranks)


def _connect(ranks: Ranks) -> None:
    # Without it every process aborts as soon as any is lost, not the first one alone, before
    # anything can be said or saved.
    jax.config.update("jax_enable_recoverability", True)  # type: ignore[no-untyped-call]
    listens_anywhere = _is_name(ranks.coordinator) or "JAX_COORDINATOR_BIND_ADDRESS" in os.environ
    status(f"connecting process {ranks.rank} of {ranks.number} to {ranks.coordinator}")
    _wait_for_first(ranks)
    errors: list[RuntimeError] = []

    def initialize() -> None:
        try:
            jax.distributed.initialize(
                ranks.coordinator,
                ranks.number,
                ranks.rank,
                initialization_timeout=_START + _SPARE,
                heartbeat_timeout_seconds=TIMEOUT,
                shutdown_timeout_seconds=_END,
                coordinator_bind_address=None if listens_anywhere else ranks.coordinator,
            )
        except RuntimeError as error:
            errors.append(error)

    # In a thread, as Ctrl-C does not interrupt it, and at its time limit JAX aborts the process.
    connecting = threading.Thread(target=initialize, daemon=True)
    connecting.start()
    connecting.join(_START)
    if connecting.is_alive():
        raise _unreachable(ranks, "not all processes have started")
    if errors:
        raise _unreachable(ranks, first_line(errors[0])) from errors[0]
    if ranks.rank:
        say_if_aborted(f"Error: {LostProcessError(ranks.number, 'JAX aborted this one')}")


def _wait_for_first(ranks: Ranks) -> None:
    """Wait until the first process listens: JAX aborts a process that waits in vain.

    Raises:
        ResourceError: It does not listen in time.
    """
    if not ranks.rank:
        return
    host, _, port = ranks.coordinator.rpartition(":")
    end = time.monotonic() + _START
    while error := connection_error(host.strip("[]"), int(port)):
        if time.monotonic() > end:
            raise _unreachable(ranks, error)
        time.sleep(1)


def _unreachable(ranks: Ranks, error: str) -> ResourceError:
    return ResourceError(
        f"Process {ranks.rank} of {ranks.number} cannot connect with the others at "
        f"{ranks.coordinator} ({error}). Start all of them within {_START} s."
    )


def _is_name(address: str) -> bool:
    """Return whether an address has a name: its machine may know it as one of loopback."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


@functools.cache
def _group_of(ranks: Ranks) -> ProcessGroup:
    """Return the group of the connected processes, one for all fits."""
    from jax._src import distributed

    return ProcessGroup(distributed.global_state.client, ranks)


def _set_processors(number: int) -> None:
    if number > 1:
        # Each device holds a thread of XLA while it waits for the others. With a thread per core,
        # none was left for the products of the last one, and JAX aborted after 40 seconds.
        os.environ.setdefault("PJRT_NPROC", str(cores() + number))
    try:
        jax.config.update("jax_num_cpu_devices", number)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if len(jax.local_devices()) < number:
            raise SettingError(
                f"JAX has already started with {len(jax.local_devices())} device(s). Restart "
                f"Python to use {number}."
            ) from error


def _local_devices(devices: int | str, ranks: Ranks) -> list[Any]:
    found = jax.local_devices()
    if ranks.number > 1 and jax.device_count() != len(found) * ranks.number:
        raise SettingError(
            f"All {ranks.number} processes must have equally many devices. This one has "
            f"{len(found)} of {jax.device_count()}."
        )
    if devices == "all":
        return list(found)
    if ranks.number > 1 and int(devices) != len(found):
        raise SettingError(
            f"`devices` is {devices}, but each of several processes uses all {len(found)} that it "
            "sees. Leave it out, or limit them by CUDA_VISIBLE_DEVICES."
        )
    if found[0].platform == "cpu":
        check_virtual(int(devices))
    if len(found) < int(devices):
        raise SettingError(
            f"`devices` is {devices}, but JAX sees {len(found)} here: "
            f"{', '.join(map(str, found))}. Use --devices {len(found)} or fewer."
        )
    return list(found[: int(devices)])


def _variables(model: keras.Model) -> list[Any]:
    """Return all variables of a compiled model, once each."""
    # Keras lists those of metrics only after the first batch.
    metrics = [*model.metrics, *(model._compile_metrics._user_weighted_metrics or ())]
    measured = [variable for metric in metrics for variable in metric.variables]
    every = [*model.variables, *model.optimizer.variables, *measured]
    return list({id(variable): variable for variable in every}.values())


def _move(variables: list[Any], layout: Callable[[Any], Any]) -> None:
    """Move variables to a layout of devices, None for one device."""
    for variable in variables:
        lost = variable._value is None  # Keras holds no values while an epoch runs
        value = None if lost else variable.numpy()
        variable._layout = layout(variable)
        if not lost:
            variable.assign(value)
