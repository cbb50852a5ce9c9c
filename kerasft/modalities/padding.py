"""Padding of texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kerasft.presets.pair_mode import PAIR

if TYPE_CHECKING:
    import numpy as np

MASKS = ("padding_mask", f"padding_mask{PAIR}")  # of one text, and of a second tower
MULTIPLE = 8  # all widths are multiples, for the matrix units of accelerators


_ROWS = 1 << 16  # of a mask that are counted at once: it can be larger than memory


def token_counts(mask: np.ndarray) -> np.ndarray:
    """Return the number of tokens of each text without padding, shape (n,).

    Args:
        mask: Array of shape (n, length), 0 for padding.
    """
    import numpy as np

    counts = np.empty(len(mask), np.intp)
    for start in range(0, len(mask), _ROWS):
        counts[start : start + _ROWS] = np.count_nonzero(mask[start : start + _ROWS], axis=1)
    return counts


def text_lengths(x: Any) -> np.ndarray | None:
    """Return the number of tokens of each text without padding, or None if x holds no texts.

    The number of a pair in two towers is that of the longer text: both have one width.
    """
    import numpy as np

    masks = [x[name] for name in MASKS if name in x] if isinstance(x, dict) else []
    return np.maximum.reduce([token_counts(mask) for mask in masks]) if masks else None


def trim_texts(x: dict[str, np.ndarray], width: int | None = None) -> dict[str, np.ndarray]:
    """Trim the padding that all texts share.

    Args:
        x: Arrays of shape (n, length); `padding_mask` is 0 for padding. Without a mask, nothing
            is trimmed.
        width: Length after trimming, at least that of the longest text. By default the length of
            the longest text, rounded up to a multiple of 8.
    """
    mask = x.get("padding_mask")
    if mask is None or not mask.size:
        return x
    total = mask.shape[1]
    if width is None:
        lengths = text_lengths(x)
        longest = max(0 if lengths is None else int(lengths.max()), 1)
        width = math.ceil(longest / MULTIPLE) * MULTIPLE
    part = slice(max(total - width, 0), total) if _padded_left(mask) else slice(0, width)
    return {name: v[:, part] if v.shape[1] == total else v for name, v in x.items()}


def pad_texts(x: dict[str, np.ndarray], width: int | None) -> dict[str, np.ndarray]:
    """Return texts padded with zeros to a width; longer ones, or without a width all, unchanged.

    Args:
        x: Arrays of shape (n, length), as for `trim_texts`.
        width: Length after padding.
    """
    import numpy as np

    mask = x.get("padding_mask")
    if mask is None or width is None or width <= (total := mask.shape[1]):
        return x
    more = (width - total, 0) if _padded_left(mask) else (0, width - total)
    return {name: np.pad(v, ((0, 0), more)) if v.shape[1] == total else v for name, v in x.items()}


def _padded_left(mask: np.ndarray) -> bool:
    """Return whether the tokens are at the end, as in some families."""
    return bool(not mask[:, 0].any() and mask[:, -1].any())


def trim_in_graph(x: Any) -> Any:
    """Return what `trim_texts` returns, in a TensorFlow graph: most of a short text is padding."""
    import tensorflow as tf

    mask = x.get("padding_mask") if isinstance(x, dict) else None
    if mask is None:
        return x
    used, total = tf.cast(mask, tf.int32), tf.shape(mask)[1]
    masks = [tf.cast(x[name], tf.int32) for name in MASKS if name in x]
    longest = tf.maximum(tf.reduce_max(tf.reduce_sum(tf.concat(masks, 0), axis=1)), 1)
    width = tf.minimum((longest + MULTIPLE - 1) // MULTIPLE * MULTIPLE, total)
    left = tf.reduce_all(used[:, 0] == 0) & tf.reduce_any(used[:, -1] == 1)
    start = tf.where(left, total - width, 0)
    same = {name for name, v in x.items() if v.shape.rank == 2 and v.shape[1] == mask.shape[1]}
    return {name: v[:, start : start + width] if name in same else v for name, v in x.items()}
