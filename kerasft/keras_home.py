"""The folder of Keras, and the backend that it will use, found without importing Keras."""

from __future__ import annotations

import json
import os
from pathlib import Path


def keras_home() -> Path:
    """Return the folder of Keras's configuration and downloads."""
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"])
    home = Path.home()
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"


def backend() -> str:
    """Return the backend of this process: KERAS_BACKEND, else that of `keras.json`."""
    return os.environ.get("KERAS_BACKEND") or configured_backend()


def configured_backend() -> str:
    """Return the backend where KERAS_BACKEND is not set."""
    try:
        settings = json.loads((keras_home() / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "tensorflow"
    return str(settings.get("backend", "tensorflow"))


def in_backend(command: str, name: str = "") -> str:
    """Return a command for a shell without KERAS_BACKEND.

    Args:
        command: A command.
        name: Backend to run it on, by default that of this process.
    """
    name = name or backend()
    return command if name == configured_backend() else f"KERAS_BACKEND={name} {command}"
