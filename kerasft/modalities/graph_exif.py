"""The EXIF orientation of an image file in a TensorFlow graph."""

from __future__ import annotations

from typing import Any

from kerasft.modalities.graph_bytes import bytes_at, has_part, number_at, walk

_ORIENTATION = 0x0112  # tag of EXIF
_NOT_FOUND = -1


def upright(image: Any, orientation: Any) -> Any:
    """Turn and mirror an image by its EXIF orientation, 1 to 8."""
    import tensorflow as tf

    # 5 to 8 exchange rows and columns; then some mirror the rows, some the columns.
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    columns = tf.reduce_any(orientation == [2, 3, 6, 7])
    rows = tf.reduce_any(orientation == [3, 4, 7, 8])
    image = tf.cond(columns, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(rows, lambda: tf.reverse(image, [0]), lambda: image)


def orientation_at(content: Any, start: Any) -> Any:
    """Return the EXIF orientation of a file, 1 where it gives none.

    Args:
        content: Scalar string tensor, the file.
        start: Position of the TIFF header of its EXIF data, negative without one.
    """
    import tensorflow as tf

    def read() -> Any:
        order = number_at(content, start, 2)
        little = tf.equal(order, 0x4949)

        def number(position: Any, size: int) -> Any:
            return tf.where(
                little,
                number_at(content, position, size),
                number_at(content, position, size, big=True),
            )

        entries = start + number(start + 4, 4)
        count = number(entries, 2)
        table = tf.reshape(bytes_at(content, entries + 2, 12 * count), [-1, 12])
        tag = tf.where(little, [_ORIENTATION & 255, _ORIENTATION >> 8], [1, 0x12])
        found = tf.where(tf.reduce_all(tf.cast(table[:, :2], tf.int32) == tag, axis=1))[:, 0]
        row = tf.reduce_max(tf.concat([tf.cast(found, tf.int32), [_NOT_FOUND]], 0))
        value = number(entries + 2 + 12 * row + 8, 2)
        known = (row >= 0) & (value >= 1) & (value <= 8)
        return tf.where(known & (little | tf.equal(order, 0x4D4D)), value, 1)

    return tf.cond(start >= 0, read, lambda: 1)


def find_jpeg_exif(content: Any) -> Any:
    """Return the position of the TIFF header in the EXIF segment of a JPEG file, or -1."""
    import tensorflow as tf

    length = tf.strings.length(content)

    def step(position: Any, found: Any) -> tuple[Any, Any]:
        marker = number_at(content, position + 1, 1)
        exif = (marker == 0xE1) & has_part(content, position + 4, b"Exif\0\0")
        after = position + 2 + number_at(content, position + 2, 2, big=True)
        after = tf.where(marker == 0xFF, position + 1, after)  # a byte that fills a gap
        after = tf.where(marker == 0xDA, length, after)  # the pixels begin
        return after, tf.where(exif, position + 10, found)

    def going(position: Any, found: Any) -> Any:
        inside = (found < 0) & (position + 10 < length)
        return inside & (number_at(content, position, 1) == 0xFF)

    return walk(going, step, [2, _NOT_FOUND])[1]


def find_chunk(content: Any, name: bytes, *, first: int, big: bool) -> Any:
    """Return the position of the data of a chunk of a PNG or WebP file, or -1.

    Args:
        content: Scalar string tensor, the file.
        name: Name of the chunk, 4 bytes.
        first: Position of the first chunk.
        big: Whether the file is PNG: the length is big-endian, before the name, and a checksum
            follows the data. Of WebP, the length follows the name, and data are even.
    """
    import tensorflow as tf

    length = tf.strings.length(content)
    name_at, length_at = (4, 0) if big else (0, 4)

    def step(position: Any, found: Any) -> tuple[Any, Any]:
        size = number_at(content, position + length_at, 4, big=big)
        same = has_part(content, position + name_at, name)
        more = 4 if big else size % 2
        # A length that is no length ends the search.
        after = tf.where((size < 0) | (size > length), length, position + 8 + size + more)
        return after, tf.where(same, position + 8, found)

    def going(position: Any, found: Any) -> Any:
        return (found < 0) & (position + 8 <= length)

    return walk(going, step, [first, _NOT_FOUND])[1]
