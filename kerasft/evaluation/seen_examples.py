"""Examples that a run was trained on: their fingerprints, written by a fit and read back."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kerasft.data import Data, Examples, Split
from kerasft.runs import Run, atomic_path
from kerasft.runs.predictions_file import read_arrays

_FILE = "fingerprints.npz"


def save_fingerprints(run: Run, data: Data) -> None:
    """Write `fingerprints.npz` into a run: 64 bits of the hash of every example, by split.

    A training split whose examples are rendered during training has none.
    """
    splits = {name: getattr(data, name) for name in ("train", "validation")}
    found = {
        name: np.unique(_fingerprints(part.examples))
        for name, part in splits.items()
        if isinstance(part, Split)
    }
    with atomic_path(run.path / _FILE) as temporary, open(temporary, "wb") as file:
        np.savez(file, **found)  # type: ignore[arg-type]


def count_seen(run: Run, parts: Iterable[Examples]) -> dict[str, int] | None:
    """Return how many examples are in the training and in the validation split of a run.

    Args:
        run: Run.
        parts: Parts of the examples, at least one.

    Returns:
        Counts by name of the split; None if the run has no fingerprints.

    Raises:
        DamagedFileError: The file of fingerprints is damaged.
    """
    path = run.path / _FILE
    if not path.exists():
        return None
    ours = np.concatenate([_fingerprints(part) for part in parts])
    stored = read_arrays(path)
    return {name: int(np.isin(ours, array).sum()) for name, array in stored.items()}


def _fingerprints(examples: Examples) -> np.ndarray:
    return np.array([int(text[:16], 16) for text in examples.content_hashes], np.uint64)
