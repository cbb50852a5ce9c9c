"""Batches of prepared arrays, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

MULTIPLE = 8  # lengths of text batches; few different ones, so that XLA compiles a few times


class Batches(keras.utils.PyDataset):
    """Batches for `fit`, `evaluate` and `predict`.

    The order of an epoch is a permutation made from (seed, epoch): a continued training sees what
    an uninterrupted one would have seen. Texts are cut to the longest of their batch, rounded up
    to a multiple of 8. No example is dropped; the last batch may be smaller. `fit` shuffles the
    batches of a PyDataset once more unless it is told `shuffle=False`.

    Args:
        x: As in `Split.x`.
        y: As in `Split.y`, or None for prediction.
        batch_size: Examples in a batch, at least 1.
        seed: Decides the order together with the epoch.
        shuffle: False keeps the order of the arrays.
        sample_weight: Weight of each example, shape (n,).

    Example:
        >>> batches = Batches(data.train.x, data.train.y, batch_size=32, shuffle=True)
        >>> model.fit(batches, epochs=3, shuffle=False)
    """

    def __init__(
        self,
        x: Any,
        y: np.ndarray | None = None,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.x = x
        self.y = y
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.sample_weight = sample_weight
        self._within_epoch = False
        self.epoch = 0

    @property
    def num_examples(self) -> int:
        """The number of examples in one pass."""
        return len(next(iter(self.x.values()))) if isinstance(self.x, dict) else len(self.x)

    @property
    def epoch(self) -> int:
        """The epoch whose order is given; set it to continue a training."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        count = self.num_examples
        rng = np.random.default_rng([self.seed, epoch])
        self._order = rng.permutation(count) if self.shuffle else np.arange(count)

    def on_epoch_begin(self) -> None:
        """Keras calls this before it draws the batches of an epoch."""
        self._within_epoch = True

    def on_epoch_end(self) -> None:
        """Keras calls this after an epoch: the next one has its own order."""
        self._within_epoch = False
        self.epoch += 1

    def __len__(self) -> int:
        return math.ceil(self.num_examples / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index {index}.")
        index %= len(self)
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        x: Any
        if isinstance(self.x, dict):
            x = trim_texts({name: values[chosen] for name, values in self.x.items()})
            x = self._widen_for_signature(x) if index == 1 and not self._within_epoch else x
        else:
            x = self.x[chosen]
        if self.y is None:
            return (x,)
        if self.sample_weight is None:
            return x, self.y[chosen]
        return x, self.y[chosen], self.sample_weight[chosen]

    def _widen_for_signature(self, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Makes the second batch longer than the first, outside an epoch only.

        Keras 3.15 looks at the first two batches, before the epoch begins, to decide whether the
        length may change (`get_tensor_spec`). Were they of one length by chance, a later batch of
        another length would stop the training.
        """
        width = next(iter(x.values())).shape[1]
        first = next(iter(self[0][0].values())).shape[1]
        if width != first:
            return x
        extra = ((0, 0), (0, MULTIPLE))
        mask = x.get("padding_mask")
        wide = {}
        for name, values in x.items():
            empty = values[mask == 0] if mask is not None else values[:0]
            fill = empty[0] if len(empty) else 0
            wide[name] = np.pad(values, extra, constant_values=fill)
        return wide


def trim_texts(x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Cuts the padding that all texts have in common, down to a multiple of 8 tokens.

    Args:
        x: Arrays of shape (n, length); `padding_mask` says which tokens are real. Without it
            nothing is cut.
    """
    mask = x.get("padding_mask")
    if mask is None or not mask.size:
        return x
    used = np.flatnonzero(mask.any(axis=0))
    total = mask.shape[1]
    if not len(used):
        return {name: values[:, :MULTIPLE] for name, values in x.items()}
    # Some families pad on the left: the real tokens then end with the array.
    left = used[0] > 0
    longest = total - used[0] if left else used[-1] + 1
    width = min(total, math.ceil(longest / MULTIPLE) * MULTIPLE)
    part = slice(total - width, total) if left else slice(0, width)
    return {name: values[:, part] for name, values in x.items()}


def class_weights(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns a weight for every class, so that all classes weigh the same together.

    The formula is that of scikit-learn's `class_weight="balanced"`: n / (classes * count). A class
    without examples gets the weight 0.

    Args:
        y: Class indices, shape (n,).
        num_classes: Number of classes.
    """
    counts = np.bincount(y, minlength=num_classes)
    present = np.maximum(counts, 1)
    return np.where(counts > 0, len(y) / (np.count_nonzero(counts) * present), 0.0)
