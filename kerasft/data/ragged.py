"""Arrays of variable length, stored end to end."""

from __future__ import annotations

from typing import Any

import numpy as np


class Ragged:
    """One array of shape (length, ...) per example, stored without padding.

    Args:
        values: Arrays of all examples end to end, shape (sum of lengths, ...).
        lengths: Length of each example, shape (n,).
        longest: Length of the texts with their padding.
        left: Whether batches are padded on the left instead of the right.

    Example:
        >>> ragged = Ragged(np.arange(5.0), np.array([2, 3]), longest=8)
        >>> ragged.take(np.array([0, 1]))
        array([[0., 1., 0.],
               [2., 3., 4.]])
    """

    def __init__(
        self, values: np.ndarray, lengths: np.ndarray, *, longest: int, left: bool = False
    ) -> None:
        self.values, self.lengths, self.longest, self.left = values, lengths, longest, left
        self.starts = np.concatenate([[0], np.cumsum(lengths)])

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def dtype(self) -> Any:
        """Dtype of the values."""
        return self.values.dtype

    def take(self, chosen: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return examples as one array, padded with zeros.

        Args:
            chosen: Indices of the examples, shape (batch,).
            width: Length to pad to; by default that of the longest chosen example.
        """
        width = width or max(int(self.lengths[chosen].max(initial=0)), 1)
        batch = np.zeros((len(chosen), width, *self.values.shape[1:]), self.values.dtype)
        for row, index in enumerate(chosen):
            part = self.values[self.starts[index] : self.starts[index + 1]]
            batch[row, width - len(part) if self.left else 0 :][: len(part)] = part
        return batch

    def select(self, chosen: np.ndarray) -> Ragged:
        """Return the examples at some indices, in that order."""
        parts = [self.values[self.starts[i] : self.starts[i + 1]] for i in chosen]
        return Ragged(
            np.concatenate(parts), self.lengths[chosen], longest=self.longest, left=self.left
        )

    def put(self, chosen: np.ndarray, batch: np.ndarray) -> None:
        """Set examples from a padded array."""
        for row, index in enumerate(chosen):
            length = self.lengths[index]
            first = batch.shape[1] - length if self.left else 0
            self.values[self.starts[index] : self.starts[index + 1]] = batch[
                row, first : first + length
            ]
