"""Frozen features in files of the cache folder, for data larger than memory and for later fits."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kerasft.array_files import array_digest, stored_arrays
from kerasft.config import Config
from kerasft.frozen.feature_arrays import as_features, bytes_needed, dtype_of, values_of

_FORMAT = 2  # raised when features change with the same layers, inputs and versions


def stored_features(
    tensors: Sequence[Any],
    signatures: Sequence[str],
    split: Any,
    config: Config,
    compute: Callable[[], list[Any]],
    *,
    keep: bool,
) -> list[Any]:
    """Return the features of a split, mapped from files; they are computed if there are none.

    Args:
        tensors: Tensors of the frozen prefix.
        signatures: Their signatures, equal in another process that computes the same.
        split: Training or validation split.
        config: Its cache_precision, disk_gigabytes and data_workers are used.
        compute: Function that computes them, as `compute_features` does.
        keep: Whether the files stay for later fits.
    """

    def prepare() -> dict[str, np.ndarray]:
        return {str(n): values_of(array) for n, array in enumerate(compute())}

    stored = stored_arrays(
        _fingerprint(signatures, split.x, config),
        sum(bytes_needed(tensor, split, config) for tensor in tensors),
        config.disk_gigabytes * 1e9 if keep else 0,
        prepare,
        workers=config.data_workers,
    )
    # A .npy file has bfloat16 as two bytes without a type.
    return [
        as_features(stored[str(n)].view(dtype_of(tensor, config)), tensor, split.x)
        for n, tensor in enumerate(tensors)
    ]


def _fingerprint(signatures: Sequence[str], x: Any, config: Config) -> str:
    """Return a hash of all that determines features."""
    inputs = x if isinstance(x, dict) else {"": x}
    digests = {name: array_digest(array, config.data_workers) for name, array in inputs.items()}
    backend = keras.backend.backend()
    names = ("keras", {"torch": "torch", "jax": "jax"}.get(backend, "tensorflow"))
    versions = [backend, *map(importlib.metadata.version, names)]
    facts = [_FORMAT, list(signatures), digests, config.cache_precision, versions]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
