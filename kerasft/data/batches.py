"""Batches of prepared arrays, in an order determined by the seed and the epoch."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import keras
import numpy as np

from kerasft.data.bucket_widths import COUNT, plan_widths
from kerasft.data.mixing import Mix
from kerasft.data.ragged import Ragged
from kerasft.modalities.padding import MULTIPLE, pad_texts, text_lengths, trim_texts

CHUNK = 50  # batches whose texts are sorted together, like Hugging Face's group_by_length


@dataclass(eq=False, repr=False)
class Batches(keras.utils.PyDataset):
    """Batches for `fit`, `evaluate` and `predict`.

    The order of an epoch is a permutation seeded with (seed, epoch), so a resumed training sees
    the same batches as an uninterrupted one. Texts are trimmed to the longest text of their batch.
    To group texts of similar length, chunks of 50 batches are sorted by length and cut into
    batches, and the batches are shuffled. No example is dropped; the last batch may be smaller.
    Call `fit` with `shuffle=False`: otherwise it shuffles the batches of a PyDataset again.

    Args:
        x: Inputs, as in `Split.x`; a dict may also hold `Ragged` arrays and float features.
        y: Targets, as in `Split.y`, or None for prediction.
        batch_size: Examples per batch, at least 1.
        seed: Random seed; together with the epoch it determines the order.
        shuffle: Whether to shuffle; False keeps the order of the arrays.
        by_length: Whether to sort texts by length, shortest first, for faster evaluation and
            prediction (without `shuffle` only). `order` has each example's index in the arrays.
        sample_weight: Weight of each example, shape (n,).
        lengths: Number of tokens of each text, shape (n,); by default counted in the
            `padding_mask` of x.
        rows: Positions of the examples to use, in ascending order; all by default. They are not
            copied: x can be larger than memory.
        widths: Widths to which texts are padded, ascending. By default they are planned where every
            new shape is compiled, and the width is that of the batch elsewhere. The widths of one
            part of the data serve the next ones; a longer text adds its own.
        mix: Function that mixes the examples of a batch (an image array x, soft labels y), seeded
            with the seed, the epoch and the index of the batch.
        parts: Consecutive batches that are grouped as one, whose gradients are accumulated.

    Example:
        >>> batches = Batches(data.train.x, data.train.y, batch_size=32, shuffle=True)
        >>> model.fit(batches, epochs=3, shuffle=False)
    """

    x: Any
    y: np.ndarray | None = None
    _: KW_ONLY
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    by_length: bool = False
    sample_weight: np.ndarray | None = None
    lengths: np.ndarray | None = None
    rows: np.ndarray | None = None
    widths: np.ndarray | None = None
    mix: Mix | None = None
    parts: int = 1

    def __post_init__(self) -> None:
        super().__init__()
        if self.lengths is None:
            self.lengths = text_lengths(self.x)
        if self.widths is not None:
            self.widths = self._extended(self.widths)
        elif compiles_shapes():
            self.widths = self._plan_widths()
        self._within_epoch = False
        self.epoch = 0

    def _plan_widths(self) -> np.ndarray | None:
        if self.lengths is None or not len(self.lengths) or not self._longest():
            return None  # no texts, or pooled features
        # A smaller last batch adds a shape.
        count = COUNT - bool(self.num_examples % self.batch_size)
        return plan_widths(self.lengths, self.batch_size, self._longest(), count)

    def _extended(self, widths: np.ndarray) -> np.ndarray:
        """Return widths that fit the longest text too."""
        longest = 0 if self.lengths is None else int(self.lengths.max(initial=0))
        return widths if longest <= widths[-1] else np.append(widths, self._longest())

    def _longest(self) -> int:
        """Return the padded length of texts before trimming."""
        x = self.x if isinstance(self.x, dict) else {}
        if "padding_mask" in x:
            return int(x["padding_mask"].shape[1])
        return max([int(v.longest) for v in x.values() if isinstance(v, Ragged)], default=0)

    @property
    def num_examples(self) -> int:
        """Number of examples per epoch."""
        if self.rows is not None:
            return len(self.rows)
        return len(next(iter(self.x.values()))) if isinstance(self.x, dict) else len(self.x)

    @property
    def epoch(self) -> int:
        """Epoch that determines the order, from 0; set it to resume a training."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        used = np.arange(self.num_examples) if self.rows is None else self.rows
        if self.shuffle:
            self.order = self._random_order(used, np.random.default_rng([self.seed, epoch]))
        elif self.by_length and self.lengths is not None:
            self.order = used[np.argsort(self.lengths[used], kind="stable")]
        else:
            self.order = used

    def _random_order(self, used: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the order of an epoch: a permutation whose chunks are grouped by length."""
        order = used[rng.permutation(len(used))]
        if self.lengths is None:
            return order
        size = self.batch_size * self.parts
        full = len(order) // size
        chunk = CHUNK * size
        batches = []
        for first in range(0, full * size, chunk):
            part = order[first : min(first + chunk, full * size)]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches.append(part.reshape(-1, size))
        if batches:
            order[: full * size] = rng.permutation(np.concatenate(batches)).ravel()
        return order

    def on_epoch_begin(self) -> None:
        """Record that batches are now drawn for an epoch, not to infer a signature."""
        self._within_epoch = True

    def on_epoch_end(self) -> None:
        """Advance to the next epoch, which has another order."""
        self._within_epoch = False
        self.epoch += 1

    def __len__(self) -> int:
        return math.ceil(self.num_examples / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        batch = self.batch(index)
        if index == 1 and not self._within_epoch and isinstance(batch[0], dict):
            return self._widen_for_signature(batch[0]), *batch[1:]
        return batch

    def width(self, index: int) -> int:
        """Return the length to which the texts of a batch are trimmed, or 0 without texts."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self._width(chosen) or 0

    def shapes(self) -> list[tuple[int, int]]:
        """Return the number of examples and the width of the batches of this epoch."""
        starts = range(0, self.num_examples, self.batch_size)
        sizes = [min(self.batch_size, self.num_examples - start) for start in starts]
        return [(size, self.width(index)) for index, size in enumerate(sizes)]

    def _width(self, chosen: np.ndarray) -> int | None:
        if self.lengths is None:
            return None
        longest = max(int(self.lengths[chosen].max()), 1)
        if self.widths is None:
            return longest
        if len(chosen) < self.batch_size:
            return int(self.widths[-1])  # one shape for a smaller batch
        return int(self.widths[np.searchsorted(self.widths, longest)])

    def batch(self, index: int) -> tuple[Any, ...]:
        """Return a batch: x, followed by y and the sample weights if there are any."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Batch index {index} is out of range for {len(self)} batches.")
        index %= len(self)
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        x: Any = self._take(self.x, chosen) if isinstance(self.x, dict) else self.x[chosen]
        rest = [part[chosen] for part in (self.y, self.sample_weight) if part is not None]
        if self.mix is not None:
            x, rest[0] = self.mix(x, rest[0], [self.seed, self.epoch, index])
        return x, *rest

    def _take(self, x: dict[str, Any], chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Return the chosen examples, with texts trimmed to the width of their batch."""
        width = self._width(chosen)
        ragged = {n: v.take(chosen, width) for n, v in x.items() if isinstance(v, Ragged)}
        plain = {name: v[chosen] for name, v in x.items() if not isinstance(v, Ragged)}
        tokens = {name: v for name, v in plain.items() if v.dtype.kind in "iu"}
        return {**plain, **pad_texts(trim_texts(tokens, width), width), **ragged}

    def _widen_for_signature(self, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make the second batch longer than the first, outside an epoch only.

        Before the epoch, Keras 3.15 inspects the first two batches to infer whether the length is
        variable (`get_tensor_spec`). If both happened to have the same length, a later batch of
        another length would raise an error.
        """
        if any(values.dtype.kind not in "iu" for values in x.values()):
            return x  # features go through `stream`, which declares their signature
        width = next(iter(x.values())).shape[1]
        first = next(iter(self[0][0].values())).shape[1]
        if width != first:
            return x
        # The mask is padded with zeros as well, so the model ignores the added positions.
        return {name: np.pad(values, ((0, 0), (0, MULTIPLE))) for name, values in x.items()}


def compiles_shapes() -> bool:
    """Return whether every new batch shape is compiled: yes, except on TensorFlow on a CPU."""
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


def select_rows(x: Any, chosen: np.ndarray) -> Any:
    """Return the inputs of the examples at some indices, in the form of `Split.x` or features."""
    if isinstance(x, dict):
        return {name: select_rows(values, chosen) for name, values in x.items()}
    return x.select(chosen) if isinstance(x, Ragged) else x[chosen]


def class_weights(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Return a weight per class that gives every class the same total weight.

    The formula is that of scikit-learn's `class_weight="balanced"`: n / (classes * count). The
    weight of a class without examples is 0.

    Args:
        y: Class indices, shape (n,).
        num_classes: Number of classes.

    Returns:
        Weights, shape (num_classes,).
    """
    counts = np.bincount(y, minlength=num_classes)
    present = np.maximum(counts, 1)
    return np.where(counts > 0, len(y) / (np.count_nonzero(counts) * present), 0.0)
