"""Batches for several devices: filled up to equal shares, of which a process takes its own."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kerasft.data.batches import Batches


class SharedBatches(keras.utils.PyDataset):
    """The rows of each batch that one process trains, with a weight for each row.

    A batch that does not divide by the number of devices is filled up with copies of its rows, of
    weight 0. The other weights rise by the same factor as the number of rows, so that the mean
    over all rows, which is the loss, is that over the examples.

    Args:
        batches: Whole batches: x, y and perhaps weights.
        devices: Number of devices of all processes together.
        rank: Index of this process.
        ranks: Number of processes, with equally many devices each.

    Example:
        >>> batches = SharedBatches(Batches(x, y, batch_size=3), devices=2)
        >>> batches[0][2]
        array([1.3333334, 1.3333334, 1.3333334, 0.       ], dtype=float32)
    """

    def __init__(self, batches: Any, *, devices: int, rank: int = 0, ranks: int = 1) -> None:
        super().__init__(workers=batches.workers, max_queue_size=batches.max_queue_size)
        self.batches, self.devices, self.rank, self.ranks = batches, devices, rank, ranks

    @property
    def epoch(self) -> int:
        """Epoch that determines the order, where the batches have one."""
        return int(getattr(self.batches, "epoch", 0))

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        if hasattr(self.batches, "epoch"):
            self.batches.epoch = epoch

    def on_epoch_begin(self) -> None:
        """Begin an epoch of the whole batches."""
        self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """End an epoch of the whole batches."""
        self.batches.on_epoch_end()

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        whole = self.batches
        x, y, *weights = whole.batch(index) if isinstance(whole, Batches) else whole[index]
        examples = len(y)
        rows = math.ceil(examples / self.devices) * self.devices
        weight = np.asarray(weights[0], "float32") if weights else np.ones(examples, "float32")
        weight = np.concatenate([weight * (rows / examples), np.zeros(rows - examples, "float32")])
        chosen = np.arange(rows)[self._share(rows)]
        taken = keras.tree.map_structure(lambda part: part[chosen % examples], (x, y))
        return *taken, weight.astype("float32")[chosen]

    def _share(self, rows: int) -> slice:
        each = rows // self.ranks
        return slice(self.rank * each, (self.rank + 1) * each)
