"""Several devices under JAX: `keras.distribution.DataParallel`, in one or several processes."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np

from kerasft.distribution.devices import Devices, trains_statistics
from kerasft.distribution.jax_meeting import Meeting
from kerasft.distribution.ranks import Ranks
from kerasft.errors import ResourceError, SettingError, first_line

_START = 300  # seconds in which all processes must have started
_SILENCE = 30  # seconds after which a process that does not answer is lost
_END = 30  # seconds that a process waits at its end for others
_EXCHANGED = 1 << 24  # bytes that each process sends at once
_LOST = ("Gloo", "gloo", "NCCL", "coordination", "Coordination", "heartbeat", "barrier", "Barrier")


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
        self._meeting = _begin(devices, ranks)
        local = _local_devices(devices)
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

    def check(self, model: keras.Model, remainder: int) -> None:
        """Refuse rows of weight 0 in the statistics of BatchNormalization."""
        if remainder % self.number and trains_statistics(model):
            raise SettingError(
                f"BatchNormalization is trained, and a batch of {remainder} examples does not "
                f"divide by {self.number} devices. Use --freeze-batch-norm, another --batch-size "
                "or fewer --devices."
            )

    def wait(self, name: str) -> None:
        """Wait until all processes have come to the point of this name."""
        if self._meeting is not None:
            self._meeting.wait(name)

    def end_together(self) -> None:
        """Let this process end only together with the others, which have no errors either."""
        if self._meeting is not None:
            self._meeting.end_together()

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses."""
        return choose() if self._meeting is None else self._meeting.agree(name, choose)

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
    def running(self) -> Iterator[None]:
        """Say in one sentence that another process ended."""
        try:
            yield
        except Exception as error:
            lost = any(word in str(error) for word in _LOST)
            if self._meeting is None or isinstance(error, ResourceError) or not lost:
                raise
            raise ResourceError(
                f"Another of the {self.ranks.number} processes of this fit ended or cannot be "
                f"reached ({first_line(error)}). Start all of them again with --resume."
            ) from error


def _begin(devices: int | str, ranks: Ranks) -> Meeting | None:
    """Fix the number of devices of the processor, and connect the processes."""
    if devices != "all" and _has_no_gpu():
        _set_processors(int(devices))
    if ranks.number == 1:
        return None
    if not jax.distributed.is_initialized():
        _connect(ranks)
    return _meeting_of(ranks)


def _connect(ranks: Ranks) -> None:
    # Without it every process aborts as soon as one is lost, before anything can be said or saved.
    jax.config.update("jax_enable_recoverability", True)  # type: ignore[no-untyped-call]
    listens_anywhere = _is_name(ranks.coordinator) or "JAX_COORDINATOR_BIND_ADDRESS" in os.environ
    try:
        jax.distributed.initialize(
            ranks.coordinator,
            ranks.number,
            ranks.rank,
            initialization_timeout=_START,
            heartbeat_timeout_seconds=_SILENCE,
            shutdown_timeout_seconds=_END,
            coordinator_bind_address=None if listens_anywhere else ranks.coordinator,
        )
    except RuntimeError as error:
        raise ResourceError(
            f"Process {ranks.rank} of {ranks.number} cannot reach the first one at "
            f"{ranks.coordinator} ({first_line(error)}). Start all of them within {_START} s."
        ) from error


def _is_name(address: str) -> bool:
    """Return whether an address has a name: its machine may know it as one of loopback."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


@functools.cache
def _meeting_of(ranks: Ranks) -> Meeting:
    """Return the meeting of the connected processes, one for all fits."""
    from jax._src import distributed

    return Meeting(distributed.global_state.client, ranks)


def _has_no_gpu() -> bool:
    """Return whether JAX has no plugin of another device; asking JAX would fix its devices."""
    import importlib.metadata

    return not any(
        entry.name.startswith(("cuda", "rocm", "tpu"))
        for entry in importlib.metadata.entry_points(group="jax_plugins")
    )


def _set_processors(number: int) -> None:
    try:
        jax.config.update("jax_num_cpu_devices", number)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if len(jax.local_devices()) < number:
            raise SettingError(
                f"JAX has already started with {len(jax.local_devices())} device(s). Set the "
                "number of devices before anything is computed."
            ) from error


def _local_devices(devices: int | str) -> list[Any]:
    found = jax.local_devices()
    if devices == "all":
        return list(found)
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
