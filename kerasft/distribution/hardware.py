"""The hardware of this machine: its processor and the devices that the backend sees."""

from __future__ import annotations

import platform
from pathlib import Path

_CPU = Path("/proc/cpuinfo")
_CPU_KEYS = ("model name", "flags", "Features")  # Features: ARM


def processor() -> str:
    """Return the model of the processor as one text, on Linux with its flags.

    Two machines with equal texts compute at about the same speed.
    """
    lines = _CPU.read_text(encoding="utf-8").splitlines() if _CPU.exists() else []
    found = {line for line in lines if line.partition(":")[0].strip() in _CPU_KEYS}
    return "\n".join([platform.machine(), platform.processor(), *sorted(found)])


def backend_devices(backend: str) -> list[str]:
    """Return the devices of this process that a backend sees, such as `GPU:0 NVIDIA H100`.

    Args:
        backend: Name of a backend of Keras, which is imported; with `torch`, the list is empty.
    """
    return {"jax": _of_jax, "tensorflow": _of_tensorflow}.get(backend, list)()


def _of_tensorflow() -> list[str]:
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices():
        name = device.name.removeprefix("/physical_device:")
        details = tf.config.experimental.get_device_details(device)
        found.append(f"{name} {details['device_name']}" if "device_name" in details else name)
    return found


def _of_jax() -> list[str]:
    import jax

    names = {"gpu": "GPU", "cuda": "GPU", "rocm": "GPU"}
    return [
        f"{names.get(device.platform, device.platform.upper())}:{device.id} {device.device_kind}"
        for device in jax.local_devices()
    ]
