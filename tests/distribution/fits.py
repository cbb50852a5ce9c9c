"""Fits on several devices and in several processes, each process a new one on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kerasft

COMMON = {"epochs": 3, "head_epochs": 1, "patience": 0, "dropout": 0.0, "learning_rate": 1e-3}


@dataclass(frozen=True)
class Way:
    """How a fit is shared.

    Attributes:
        backend: `jax` or `tensorflow`.
        devices: Virtual devices of each process.
        processes: Number of processes.
    """

    backend: str
    devices: int = 1
    processes: int = 1

    def __str__(self) -> str:
        return f"{self.backend}, {self.processes} x {self.devices}"


def start(
    way: Way,
    folder: Path,
    recipe: str,
    settings: dict[str, Any],
    *,
    resume: bool = False,
    bound: bool = False,
) -> list[subprocess.Popen[str]]:
    """Start the processes of a fit; each writes to `logN` in the folder.

    With `bound` each has one core, shared by several where there are fewer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "recipe": recipe,
        "settings": settings,
        "devices": way.devices,
        "runs_dir": str(folder / "runs"),
        "resume": resume,
    }
    (folder / "given.json").write_text(json.dumps(given))
    addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(way.processes))
    started = []
    for rank in range(way.processes):
        environment = {**os.environ, "KERAS_BACKEND": way.backend, "CUDA_VISIBLE_DEVICES": "-1"}
        if way.processes > 1:
            environment |= {
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses,
                "KERAS_DISTRIBUTION_NUM_PROCESSES": str(way.processes),
                "KERAS_DISTRIBUTION_PROCESS_ID": str(rank),
            }
        cores = ["taskset", "--cpu-list", str(rank % (os.cpu_count() or 1))] if bound else []
        with open(folder / f"log{rank}", "w") as log:
            started.append(
                subprocess.Popen(
                    [*cores, sys.executable, "-m", "tests.distribution.one_fit",
                     folder / "given.json"],
                    stdout=log, stderr=subprocess.STDOUT, text=True, env=environment,
                )
            )  # fmt: skip
    return started


def free_ports(number: int) -> list[int]:
    """Return ports of loopback that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def fit(
    way: Way, folder: Path, recipe: str, settings: dict[str, Any], **options: bool
) -> kerasft.Run:
    """Fit in new processes, and return the run that the first of them wrote."""
    started = start(way, folder, recipe, settings, **options)
    try:
        codes = [process.wait(600) for process in started]
    finally:
        for process in started:
            process.kill()
    logs = "\n".join((folder / f"log{rank}").read_text()[-2000:] for rank in range(way.processes))
    assert codes == [0] * way.processes, f"{way}: {codes}\n{logs}"
    return the_run(folder)


def the_run(folder: Path) -> kerasft.Run:
    """Return the run of a folder."""
    (path,) = (folder / "runs").glob("*/one")
    return kerasft.Run(path)


def weights(run: kerasft.Run) -> dict[str, np.ndarray]:
    """Return the stored weights of a run."""
    from safetensors.numpy import load_file

    return load_file(run.path / "weights.safetensors")


def difference(run: kerasft.Run, other: kerasft.Run) -> tuple[float, float]:
    """Return the largest difference of two runs in their histories, and in their weights."""
    rows = zip(run.history, other.history, strict=True)
    names = [n for n, v in run.history[0].items() if n != "seconds" and isinstance(v, float)]
    in_history = np.max([abs(row[name] - same[name]) for row, same in rows for name in names])
    mine, theirs = weights(run), weights(other)
    assert set(mine) == set(theirs)
    in_weights = np.max([np.abs(mine[name] - theirs[name]).max() for name in mine])
    return float(in_history), float(in_weights)
