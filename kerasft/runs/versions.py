"""Versions of the packages that affect results; nothing is imported for them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata

from kerasft.keras_home import backend

_PACKAGES = (
    "keras", "tensorflow", "keras-hub", "numpy", "tensorflow-datasets",
    "tensorflow-text", "pillow", "scikit-learn",  # tokens, images and linear probes
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Return the versions of kerasft and of the installed packages that affect results."""
    # Not from the metadata, which an editable install keeps from the day it was installed.
    found = {"kerasft": importlib.import_module("kerasft").__version__}
    for package in (*_PACKAGES, *["jax"] * (backend() == "jax")):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
