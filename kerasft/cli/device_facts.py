"""What `kerasft doctor` says about devices, and about the processes that share a training."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import Any

from kerasft.distribution.hardware import backend_devices
from kerasft.distribution.ranks import Ranks, find_ranks
from kerasft.errors import SettingError
from kerasft.keras_home import backend
from kerasft.pip_commands import install_extra

_SECONDS = 1.0  # to reach the first process
_TOPOLOGY_SECONDS = 20.0  # nvidia-smi can hang with a broken driver


def device_facts() -> dict[str, Any]:
    """Return the devices that the backend sees, and how a fit would share its batches.

    It imports the backend.
    """
    found = _visible_devices()
    gpus = [name for name in found if name.startswith("GPU")]
    return {
        "devices": found,
        "--devices all": _strategy(max(len(gpus), 1)),
        "processes": _processes(),
        "interconnect": interconnect(len(gpus)),
    }


def _visible_devices() -> list[str]:
    """Return the devices that the backend sees, and whether it leaves a GPU unused."""
    found = backend_devices(backend())
    gpu = any(name.startswith("GPU") for name in found)
    if backend() == "tensorflow" and not gpu and shutil.which("nvidia-smi"):
        found.append(f"(NVIDIA driver found but unused: {install_extra('gpu')})")
    return found


def _strategy(number: int) -> str:
    ways = {
        "jax": "keras.distribution.DataParallel",
        "tensorflow": "MirroredStrategy (MultiWorkerMirroredStrategy for several processes)",
    }
    way = ways.get(backend())
    if way is None:
        return f"not possible with the backend {backend()}: use jax or tensorflow"
    return f"{number} by {way}"


def _processes() -> str:
    """Return what environment variables say about the processes of a training."""
    try:
        ranks = find_ranks(os.environ)
    except SettingError:
        return "unclear: see the conflict"
    if ranks.number == 1:
        return "1"
    text = f"index {ranks.rank} of {ranks.number} ({ranks.source}), the first at "
    return f"{text}{ranks.coordinator}{_reached(ranks)}"


def _reached(ranks: Ranks) -> str:
    """Return whether the first process answers, which it does once it has started."""
    if not ranks.rank:
        return " (this one)"
    host, _, port = ranks.coordinator.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except (OSError, ValueError) as error:
        return f" (no answer: {error}; it answers once a fit has started there)"
    return " (answers)"


def interconnect(gpus: int) -> str:
    """Return what connects the GPUs of this machine, or its processes if it has none."""
    if gpus < 2:
        return "TCP between processes" if not gpus else "one GPU"
    if not shutil.which("nvidia-smi"):
        return "unknown: nvidia-smi was not found"
    line = ["nvidia-smi", "topo", "--matrix"]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, check=False, timeout=_TOPOLOGY_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"unknown: nvidia-smi did not answer within {_TOPOLOGY_SECONDS:.0f} s"
    links = any(word.startswith("NV") and word[2:].isdigit() for word in done.stdout.split())
    return "NVLink between GPUs" if links else "PCIe between GPUs"
