"""Batches of prepared arrays, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kerasft.data.bucket_widths import COUNT, MULTIPLE, plan_widths
from kerasft.data.mixing import Mix
from kerasft.data.ragged import Ragged

CHUNK = 50  # batches whose texts are sorted by length together, as Hugging Face's group_by_length


class Batches(keras.utils.PyDataset):
    """Batches for `fit`, `evaluate` and `predict`.

    The order of an epoch is a permutation made from (seed, epoch): a continued training sees what
    an uninterrupted one would have seen. Texts are cut to the longest of their batch, and texts
    of similar length come together: stretches of the permutation (50 batches) are sorted by
    length, cut into batches, and the batches shuffled. No example is dropped; the last batch may
    be smaller. `fit` shuffles the batches of a PyDataset once more unless it is told
    `shuffle=False`.

    Args:
        x: As in `Split.x`; a dict may hold `Ragged` arrays too, and features of floats.
        y: As in `Split.y`, or None for prediction.
        batch_size: Examples in a batch, at least 1.
        seed: Decides the order together with the epoch.
        shuffle: False keeps the order of the arrays.
        by_length: Without `shuffle`: texts from the shortest to the longest, which evaluates and
            predicts them faster. `order` tells where each example stood in the arrays.
        sample_weight: Weight of each example, shape (n,).
        lengths: Of the texts, shape (n,); by default what the `padding_mask` of x tells.
        mix: Mixes the examples of a batch, of an array x and labels that are shares of classes;
            seed, epoch and place of the batch alone decide how.

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
        by_length: bool = False,
        sample_weight: np.ndarray | None = None,
        lengths: np.ndarray | None = None,
        mix: Mix | None = None,
    ) -> None:
        super().__init__()
        self.mix = mix
        self.x = x
        self.y = y
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.by_length = by_length
        self.sample_weight = sample_weight
        self._lengths = text_lengths(x) if lengths is None else lengths
        self._widths = self._plan_widths() if compiles_shapes() else None
        self._within_epoch = False
        self.epoch = 0

    def _plan_widths(self) -> np.ndarray | None:
        if self._lengths is None or not len(self._lengths) or not self._longest():
            return None  # no texts, or pooled features of them
        # A smaller last batch is one more shape.
        count = COUNT - bool(self.num_examples % self.batch_size)
        return plan_widths(self._lengths, self.batch_size, self._longest(), count)

    def _longest(self) -> int:
        """Return the width of texts before they are cut."""
        x = self.x if isinstance(self.x, dict) else {}
        if "padding_mask" in x:
            return int(x["padding_mask"].shape[1])
        return max([int(v.longest) for v in x.values() if isinstance(v, Ragged)], default=0)

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
        if self.shuffle:
            self.order = self._random_order(np.random.default_rng([self.seed, epoch]))
        elif self.by_length and self._lengths is not None:
            self.order = np.argsort(self._lengths, kind="stable")
        else:
            self.order = np.arange(self.num_examples)

    def _random_order(self, rng: np.random.Generator) -> np.ndarray:
        """Return the order of an epoch: a permutation, its stretches grouped by length."""
        order = rng.permutation(self.num_examples)
        if self._lengths is None:
            return order
        full = len(order) // self.batch_size
        chunk = CHUNK * self.batch_size
        batches = []
        for first in range(0, full * self.batch_size, chunk):
            part = order[first : min(first + chunk, full * self.batch_size)]
            part = part[np.argsort(self._lengths[part], kind="stable")]
            batches.append(part.reshape(-1, self.batch_size))
        if batches:
            order[: full * self.batch_size] = rng.permutation(np.concatenate(batches)).ravel()
        return order

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
        batch = self.batch(index)
        if index == 1 and not self._within_epoch and isinstance(batch[0], dict):
            return self._widen_for_signature(batch[0]), *batch[1:]
        return batch

    def width(self, index: int) -> int:
        """Return the length to which the texts of a batch are cut, 0 where there are none."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self._width(chosen) or 0

    def _width(self, chosen: np.ndarray) -> int | None:
        if self._lengths is None:
            return None
        longest = max(int(self._lengths[chosen].max()), 1)
        if self._widths is None:
            return longest
        if len(chosen) < self.batch_size:
            return int(self._widths[-1])  # one shape for a smaller batch
        return int(self._widths[np.searchsorted(self._widths, longest)])

    def batch(self, index: int) -> tuple[Any, ...]:
        """Return a batch: x, y and weights, as far as there are any."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index {index}.")
        index %= len(self)
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        x: Any = self._take(self.x, chosen) if isinstance(self.x, dict) else self.x[chosen]
        rest = [part[chosen] for part in (self.y, self.sample_weight) if part is not None]
        if self.mix is not None:
            x, rest[0] = self.mix(x, rest[0], [self.seed, self.epoch, index])
        return x, *rest

    def _take(self, x: dict[str, Any], chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Return examples, texts cut to the longest of them."""
        width = self._width(chosen)
        ragged = {n: v.take(chosen, width) for n, v in x.items() if isinstance(v, Ragged)}
        plain = {name: v[chosen] for name, v in x.items() if not isinstance(v, Ragged)}
        tokens = {name: v for name, v in plain.items() if v.dtype.kind in "iu"}
        return {**plain, **trim_texts(tokens, width), **ragged}

    def _widen_for_signature(self, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Make the second batch longer than the first, outside an epoch only.

        Keras 3.15 looks at the first two batches, before the epoch begins, to decide whether the
        length may change (`get_tensor_spec`). Were they of one length by chance, a later batch of
        another length would stop the training.
        """
        if any(values.dtype.kind not in "iu" for values in x.values()):
            return x  # features are fed by `stream`, which tells the signature itself
        width = next(iter(x.values())).shape[1]
        first = next(iter(self[0][0].values())).shape[1]
        if width != first:
            return x
        # Zeros in the mask too: what stands there is not read.
        return {name: np.pad(values, ((0, 0), (0, MULTIPLE))) for name, values in x.items()}


def compiles_shapes() -> bool:
    """Return whether every new shape of a batch costs a compilation: not in TensorFlow on a CPU."""
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


def text_lengths(x: Any) -> np.ndarray | None:
    """Return the number of real tokens of every text, or None where x holds no texts."""
    mask = x.get("padding_mask") if isinstance(x, dict) else None
    return None if mask is None else np.count_nonzero(mask, axis=1)


def trim_texts(x: dict[str, np.ndarray], width: int | None = None) -> dict[str, np.ndarray]:
    """Cut the padding that all texts have in common.

    Args:
        x: Arrays of shape (n, length); `padding_mask` says which tokens are real. Without it
            nothing is cut.
        width: The length that stays, at least that of the longest text, which it is by default,
            rounded up to a multiple of 8.
    """
    mask = x.get("padding_mask")
    if mask is None or not mask.size:
        return x
    total = mask.shape[1]
    if width is None:
        longest = max(int(np.count_nonzero(mask, axis=1).max()), 1)
        width = math.ceil(longest / MULTIPLE) * MULTIPLE
    # Some families pad on the left: the real tokens then end with the array.
    left = not mask[:, 0].any() and mask[:, -1].any()
    part = slice(max(total - width, 0), total) if left else slice(0, width)
    return {name: v[:, part] if v.shape[1] == total else v for name, v in x.items()}


def class_weights(y: np.ndarray, num_classes: int) -> np.ndarray:
    """Return a weight for every class, so that all classes weigh the same together.

    The formula is that of scikit-learn's `class_weight="balanced"`: n / (classes * count). A class
    without examples gets the weight 0.

    Args:
        y: Class indices, shape (n,).
        num_classes: Number of classes.
    """
    counts = np.bincount(y, minlength=num_classes)
    present = np.maximum(counts, 1)
    return np.where(counts > 0, len(y) / (np.count_nonzero(counts) * present), 0.0)
