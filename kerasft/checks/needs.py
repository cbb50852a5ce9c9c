"""Memory and disk space that a fit needs, and what is free."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.arrays import free_memory
from kerasft.data.examples import SPLITS
from kerasft.models.freezing import changing_weights
from kerasft.runs.provenance import describe_weights
from kerasft.training.context import FitContext

_RECORD = 5_000_000  # bytes of charts, report, history and logs of a run


@dataclass(frozen=True)
class Need:
    """Estimate of what a fit needs, in bytes.

    Attributes:
        parts: Size by what needs it.
        free: What is free.
    """

    parts: dict[str, int]
    free: int

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return sum(self.parts.values())


def bytes_of(variables: Any) -> int:
    """Return the size of variables."""
    return sum(
        int(np.prod(variable.shape, dtype=np.int64))
        * np.dtype(keras.backend.standardize_dtype(variable.dtype)).itemsize
        for variable in variables
    )


def memory_needed(context: FitContext, optimizer: int, features: int) -> Need:
    """Return the memory that a fit needs, without activations.

    Args:
        context: Context of the fit.
        optimizer: Size of the optimizer state.
        features: Size of cached features.
    """
    model = context.model
    loaded = {"parameters": bytes_of(model.weights), "inputs": _input_bytes(context)}
    parts = {
        **loaded,
        "gradients": bytes_of(model.trainable_variables),
        "optimizer": optimizer,
        "best weights": bytes_of(changing_weights(model)),
        "frozen features": features,
    }
    return Need(parts, free_memory() + sum(loaded.values()))


def _input_bytes(context: FitContext) -> int:
    """Return the size of prepared inputs in memory, not of those in temporary files."""
    arrays = [getattr(getattr(context.data, split), "x", None) for split in SPLITS]
    flat = [array for array in keras.tree.flatten(arrays) if isinstance(array, np.ndarray)]
    return sum(array.nbytes for array in flat if not isinstance(array, np.memmap))


def disk_needed(context: FitContext, optimizer: int, runs_dir: str | Path) -> Need:
    """Return the disk space that a fit needs in the folder of runs.

    Args:
        context: Context of the fit.
        optimizer: Size of the optimizer state.
        runs_dir: Folder of runs.
    """
    changing = bytes_of(changing_weights(context.model))
    stored = describe_weights(context.config)["stored"]
    weights = changing if stored == "trained" else bytes_of(context.model.weights)
    folder = Path(runs_dir).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    # While it trains, a run has its state too: the present and the best weights, the optimizer.
    parts = {"weights": weights, "training state": 2 * changing + optimizer, "records": _RECORD}
    return Need(parts, shutil.disk_usage(existing).free)
