"""Times of training steps by number format, as files of the cache folder."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import keras

from kerasft.arrays import cache_folder, make_folder
from kerasft.atomic_files import write_text
from kerasft.distribution.hardware import backend_devices, processor
from kerasft.errors import DamagedFileError, KerasftError
from kerasft.models.compute_cost import Product
from kerasft.runs import read_json
from kerasft.runs.provenance import versions
from kerasft.threads import cores

_TIMES = "seconds"


def timing_key(model: keras.Model, products: list[Product], rows: int) -> str:
    """Return a hash of what the time of a training step depends on.

    Args:
        model: Model, of which the classes of its layers count.
        products: Its matrix products.
        rows: Number of examples of a batch, or of their tokens. A power of two stands for numbers
            near it, so that other splits of the same data have the same times.
    """
    layers = [type(layer).__name__ for layer in model._flatten_layers()]
    shapes = [(each.rows, each.inner, each.columns, each.learned) for each in products]
    machine = [processor(), cores(), backend_devices(keras.backend.backend()), versions()]
    facts: list[Any] = [layers, shapes, round(math.log2(max(rows, 1))), machine]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def read_times(key: str) -> dict[str, float] | None:
    """Return the times of a step by format, in seconds; None if none are stored.

    They are empty for a machine on which no format can be faster than float32.
    """
    try:
        times = read_json(_path(key), _TIMES)[_TIMES]
        found = {str(name): float(seconds) for name, seconds in times.items()}
    except (DamagedFileError, AttributeError, TypeError, ValueError, OSError, RuntimeError):
        return None  # measured again, and written anew
    return found if "float32" in found or not found else None


def write_times(key: str, times: dict[str, float]) -> str:
    """Write the times of a step; return why they could not be written, empty where they are."""
    try:
        make_folder(_path(key).parent)
        write_text(_path(key), json.dumps({_TIMES: times}))
    except (KerasftError, OSError, RuntimeError) as error:  # a fit needs no cache folder
        return str(error)
    return ""


def _path(key: str) -> Path:
    return cache_folder() / "formats" / f"{key}.json"
