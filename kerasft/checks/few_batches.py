"""Parts of an epoch to time: its first batches, and the first rows of batches."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.data import stream


class FirstBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The first batches of a dataset that a recipe renders."""

    def __init__(self, batches: Any, count: int) -> None:
        super().__init__()
        self.batches, self.count = batches, count

    @property
    def num_batches(self) -> int:
        """Number of batches."""
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


class _Rows(keras.utils.PyDataset):  # type: ignore[misc]
    """The first rows of batches."""

    def __init__(self, batches: Any, rows: int) -> None:
        super().__init__()
        self.batches, self.rows = batches, rows

    @property
    def num_batches(self) -> int:
        return int(self.batches.num_batches)

    def __getitem__(self, index: int) -> Any:
        return keras.tree.map_structure(lambda array: array[: self.rows], self.batches[index])


def first_rows(batches: Any, rows: int, batch_size: int) -> Any:
    """Return a stream of the first rows of batches.

    Args:
        batches: Batches of a phase.
        rows: Number of rows, at most `batch_size`.
        batch_size: Number of rows of a batch.
    """
    found = stream(batches)
    if rows == batch_size:
        return found
    if isinstance(found, keras.utils.PyDataset):
        return _Rows(found, rows)
    return found.map(lambda *parts: keras.tree.map_structure(lambda array: array[:rows], parts))
