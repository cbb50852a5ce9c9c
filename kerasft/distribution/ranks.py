"""The processes of a training, from the environment variables of their launcher."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kerasft.errors import SettingError

LAUNCHERS = (  # variables that say how many processes there are
    "KERAS_DISTRIBUTION_NUM_PROCESSES", "JAX_NUM_PROCESSES", "TF_CONFIG", "SLURM_STEP_NUM_TASKS",
)  # fmt: skip
_FIRST_PORT, _PORTS = 61440, 4096  # of Slurm jobs: a port by the number of the job, as JAX does


@dataclass(frozen=True)
class Ranks:
    """The processes of a training.

    Attributes:
        rank: Index of this process, from 0.
        number: Number of processes.
        addresses: `HOST:PORT` of the first process, or of all of them.
        source: Environment variable of the number, empty for one process.
        index_source: Environment variable of the index.
        address_source: Environment variable of the addresses.
    """

    rank: int = 0
    number: int = 1
    addresses: tuple[str, ...] = ()
    source: str = ""
    index_source: str = ""
    address_source: str = ""

    @property
    def coordinator(self) -> str:
        """Address of the first process."""
        return self.addresses[0] if self.addresses else ""


def find_ranks(environment: Mapping[str, str]) -> Ranks:
    """Return the processes of a training, one where no variable says otherwise.

    Variables are looked up in this order: `KERAS_DISTRIBUTION_NUM_PROCESSES`,
    `KERAS_DISTRIBUTION_JOB_ADDRESSES` and `KERAS_DISTRIBUTION_PROCESS_ID` (or
    `JOB_COMPLETION_INDEX`, of an indexed Job of Kubernetes); `JAX_NUM_PROCESSES`,
    `JAX_COORDINATOR_ADDRESS` and `JAX_PROCESS_ID` (Kubeflow Trainer's JAX runtime); `TF_CONFIG`;
    those of a Slurm step of several tasks (`srun`). The first of these that is set counts, so that
    `KERAS_DISTRIBUTION_NUM_PROCESSES=1` makes a task of Slurm a fit on its own.

    Args:
        environment: Environment variables, such as `os.environ`.

    Raises:
        SettingError: They contradict each other, or one is missing.

    Example:
        >>> find_ranks({}).number
        1
    """
    for read in (_of_keras, _of_jax, _of_tensorflow, _of_slurm):
        found = read(environment)
        if found is not None:
            return _checked(found) if found.number > 1 else Ranks()
    return Ranks()


def _of_keras(environment: Mapping[str, str]) -> Ranks | None:
    prefix = "KERAS_DISTRIBUTION_"
    if f"{prefix}NUM_PROCESSES" not in environment:
        return None
    index = "JOB_COMPLETION_INDEX"  # of Kubernetes
    if f"{prefix}PROCESS_ID" in environment or index not in environment:
        index = f"{prefix}PROCESS_ID"
    return _named(environment, f"{prefix}NUM_PROCESSES", index, f"{prefix}JOB_ADDRESSES")


def _of_jax(environment: Mapping[str, str]) -> Ranks | None:
    if "JAX_NUM_PROCESSES" not in environment:
        return None
    names = ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "JAX_COORDINATOR_ADDRESS")
    return _named(environment, *names)


def _named(environment: Mapping[str, str], number: str, index: str, addresses: str) -> Ranks:
    """Return the ranks that three variables describe; a process alone needs the number only."""
    count = _whole(environment, number)
    if not count:
        raise SettingError(f"{number} must be at least 1. Received: 0.")
    if count == 1:
        return Ranks()
    if not environment.get(index):
        raise SettingError(
            f"{index} is not set, though {number} says {count} processes. Set it in each of them: "
            f"0 to {count - 1}."
        )
    return Ranks(
        _whole(environment, index),
        count,
        tuple(part.strip() for part in environment.get(addresses, "").split(",") if part.strip()),
        number,
        index,
        addresses,
    )


def _of_tensorflow(environment: Mapping[str, str]) -> Ranks | None:
    if not environment.get("TF_CONFIG"):
        return None
    try:
        given = json.loads(environment["TF_CONFIG"])
        if sum(map(len, given.get("cluster", {}).values())) < 2:  # a task on its own
            return Ranks()
        workers = tuple(given["cluster"]["worker"])
        others = {given["task"]["type"], *given["cluster"]} - {"worker"}
        index = int(given["task"]["index"])
        found = Ranks(index, len(workers), workers, *["TF_CONFIG"] * 3)
        if not isinstance(given["cluster"]["worker"], list):
            raise TypeError("a list is expected")
        if not all(isinstance(worker, str) for worker in workers):
            raise TypeError("texts are expected")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(
            "TF_CONFIG must be JSON with `cluster.worker` (a list of HOST:PORT) and `task.index`. "
            f"Received: {environment['TF_CONFIG']!r}."
        ) from error
    if others:
        raise SettingError(
            f"TF_CONFIG has tasks of the type {', '.join(sorted(others))}. Give workers alone: "
            "the first of them writes."
        )
    return found


def _of_slurm(environment: Mapping[str, str]) -> Ranks | None:
    if "SLURM_STEP_NUM_TASKS" not in environment or "SLURM_PROCID" not in environment:
        return None
    port = _FIRST_PORT + _whole(environment, "SLURM_JOB_ID") % _PORTS
    return Ranks(
        _whole(environment, "SLURM_PROCID"),
        _whole(environment, "SLURM_STEP_NUM_TASKS"),
        (f"{first_host(environment.get('SLURM_STEP_NODELIST', ''))}:{port}",),
        "SLURM_STEP_NUM_TASKS",
        "SLURM_PROCID",
        "SLURM_STEP_NODELIST",
    )


def first_host(nodes: str) -> str:
    """Return the first host of a list as Slurm writes it.

    Example:
        >>> first_host("gpu[003-007,9],cpu1")
        'gpu003'
    """
    host = re.match(r"(?:\[[^\]]*\]|[^,\[])*", nodes)  # a comma in brackets does not end it
    return re.sub(r"\[([^\-,\]]+)[^\]]*\]", r"\1", host[0]) if host else ""


def _whole(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not value.isascii() or not value.isdecimal():
        raise SettingError(f"{name} must be a whole number. Received: {value!r}.")
    return int(value)


def _checked(ranks: Ranks) -> Ranks:
    if not 0 <= ranks.rank < ranks.number:
        raise SettingError(
            f"{ranks.index_source} must be from 0 to {ranks.number - 1}, as {ranks.source} says "
            f"{ranks.number} processes. Received: {ranks.rank}."
        )
    host, _, port = ranks.coordinator.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()):
        raise SettingError(
            f"{ranks.address_source} must be HOST:PORT of the first of the {ranks.number} "
            f"processes. Received: {ranks.coordinator!r}."
        )
    if 1 < len(ranks.addresses) != ranks.number:
        raise SettingError(
            f"{ranks.address_source} has {len(ranks.addresses)} addresses for {ranks.number} "
            "processes. Give one for each, or that of the first one alone."
        )
    return ranks
