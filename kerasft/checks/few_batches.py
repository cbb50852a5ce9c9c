"""Parts of an epoch to time: its first batches, and the first rows of batches."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.data import stream


class FewBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The first batches of a dataset, or the first rows of its batches.

    Args:
        batches: The dataset.
        count: Number of batches.
        rows: Number of rows of each batch, None for all.
    """

    def __init__(self, batches: Any, count: int, rows: int | None = None) -> None:
        super().__init__()
        self.batches, self.count, self.rows = batches, count, rows

    @property
    def num_batches(self) -> int:
        """Number of batches."""
        return self.count

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
        return FewBatches(found, int(found.num_batches), rows)
    return found.map(lambda *parts: keras.tree.map_structure(lambda array: array[:rows], parts))
