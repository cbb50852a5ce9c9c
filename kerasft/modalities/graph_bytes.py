"""Bytes of a file in a TensorFlow graph, as operations on a scalar string tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ALL = 2**31 - 1  # bytes of the longest string


def walk(going: Callable[..., Any], step: Callable[..., Any], start: list[Any]) -> Any:
    """Return the state at the end of a walk over the parts of a file.

    It ends after a thousand parts: a file of empty parts must not occupy a server.
    """
    import tensorflow as tf

    return tf.while_loop(going, step, start, maximum_iterations=1000)


def has_part(content: Any, position: Any, part: bytes) -> Any:
    """Return whether a part is in a file at a position; false where the file has no such one."""
    import tensorflow as tf

    inside = (position >= 0) & (position <= tf.strings.length(content))
    found = tf.strings.substr(content, tf.where(inside, position, 0), len(part))
    return inside & tf.equal(found, part)


def with_byte(content: Any, position: Any, value: Any) -> Any:
    """Return a file in which one byte is replaced; the file itself for a position outside it."""
    import tensorflow as tf

    position = tf.clip_by_value(position, 0, tf.strings.length(content))
    byte = tf.gather(tf.constant([bytes([number]) for number in range(256)]), value)
    before = tf.strings.substr(content, 0, position)
    after = tf.strings.substr(tf.strings.join([content, b"\0"]), position + 1, _ALL)
    return tf.strings.join([before, byte, after])


def bytes_at(content: Any, position: Any, count: Any) -> Any:
    """Return bytes of a file as uint8 of shape (count,); zeros where it has no such bytes."""
    import tensorflow as tf

    inside = (position >= 0) & (position <= tf.strings.length(content))
    part = tf.strings.substr(content, tf.where(inside, position, 0), tf.where(inside, count, 0))
    found = tf.io.decode_raw(part, tf.uint8)
    return tf.pad(found, [[0, count - tf.size(found)]])


def number_at(content: Any, position: Any, size: int, *, big: bool = False) -> Any:
    """Return an unsigned number of 1, 2 or 4 bytes as int32, negative from 2**31."""
    import tensorflow as tf

    digits = tf.cast(tf.ensure_shape(bytes_at(content, position, size), [size]), tf.int32)
    places = [8 * place for place in range(size)]
    return tf.reduce_sum(tf.bitwise.left_shift(digits, places[::-1] if big else places))
