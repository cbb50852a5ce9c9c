"""Decode image files in a TensorFlow graph, for serving, with the pixels of `decode_image`.

TensorFlow's decoders ignore the EXIF orientation, paint transparent pixels of a GIF black, read the
indices of a BMP with a palette as gray, and give no RGB for a WebP with alpha. The functions here
correct that with operations on the bytes of a file, so that a SavedModel needs no other code.
"""

from __future__ import annotations

import functools
from typing import Any

from kerasft.modalities.graph_bytes import bytes_at, has_part, number_at, walk, with_byte
from kerasft.modalities.graph_exif import find_chunk, find_jpeg_exif, orientation_at, upright
from kerasft.modalities.image_decoding import resize_image

_UNREADABLE = (
    "The file cannot be decoded. Give a JPEG, PNG, WebP, GIF or BMP file that is not damaged."
)


def decode_batch(contents: Any, size: int, how: str) -> tuple[Any, Any]:
    """Decode and resize a batch of image files; a file that cannot be decoded does not end it.

    Args:
        contents: String tensor of shape (n,), the files.
        size: Height and width in pixels.
        how: Fit of non-square images, as in `resize_image`.

    Returns:
        uint8 tensor of shape (n, size, size, 3), black for a file that cannot be decoded, and a
        string tensor of shape (n,): a message for such a file, else "".
    """
    import tensorflow as tf

    def decode(index: Any, content: Any) -> tuple[Any, Any]:
        image = resize_image(decode_in_graph(content), size, how)
        return index, tf.ensure_shape(image, [size, size, 3])

    with tf.device("CPU:0"):
        count = tf.shape(contents, tf.int64)[0]
        files = tf.data.Dataset.from_tensor_slices(contents).enumerate()
        images = files.map(decode, tf.data.AUTOTUNE, deterministic=False).ignore_errors()
        # One more image, so that the batch is never empty.
        last = tf.data.Dataset.from_tensors((count, tf.zeros([size, size, 3], tf.uint8)))
        found, pixels = images.concatenate(last).batch(count + 1).get_single_element()
        shape = tf.stack([count + 1, size, size, 3])
        x = tf.scatter_nd(found[:, tf.newaxis], pixels, shape)[:count]
        good = tf.scatter_nd(found[:, tf.newaxis], tf.ones_like(found), [count + 1])[:count]
    return tf.ensure_shape(x, [None, size, size, 3]), tf.where(good > 0, "", _UNREADABLE)


def decode_in_graph(content: Any) -> Any:
    """Decode one image file and apply its EXIF orientation.

    JPEG files are decoded bit-for-bit as by Pillow (the default of `tf.io.decode_image` is a
    faster, coarser transform that differs by up to 15 of 255). An orientation that is given in XMP
    alone is not applied.

    Args:
        content: Scalar string tensor with a JPEG, PNG, WebP, GIF (its first frame) or BMP file.

    Returns:
        uint8 tensor of shape (height, width, 3).

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: the file is damaged or of another
            format.
    """
    import tensorflow as tf

    beginnings = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM"]
    readers = [_decode_jpeg, _decode_png, _decode_gif, _decode_bmp, _decode_webp]
    same = tf.stack([has_part(content, 0, beginning) for beginning in beginnings])
    first = tf.where(tf.reduce_any(same), tf.argmax(tf.cast(same, tf.int32)), len(beginnings))
    image = tf.switch_case(
        tf.cast(first, tf.int32), [functools.partial(read, content) for read in readers]
    )
    return tf.ensure_shape(image, [None, None, 3])


def _decode_jpeg(content: Any) -> Any:
    import tensorflow as tf

    image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    start = find_jpeg_exif(content)
    return upright(image, orientation_at(content, start))


def _decode_png(content: Any) -> Any:
    import tensorflow as tf

    image = tf.io.decode_png(content, channels=3)
    start = find_chunk(content, b"eXIf", first=8, big=True)
    return upright(image, orientation_at(content, start))


def _decode_webp(content: Any) -> Any:
    """Decode a WebP file, or the first frame of an animation.

    The number of channels must be given: without it, TensorFlow 2.21 writes beyond its memory for
    an animation without alpha.
    """
    import tensorflow as tf

    is_webp = has_part(content, 0, b"RIFF") & has_part(content, 8, b"WEBP")
    with tf.control_dependencies([tf.debugging.Assert(is_webp, ["not an image"])]):
        flags = number_at(content, 20, 1)
        extended = has_part(content, 12, b"VP8X")
        animated = extended & (tf.bitwise.bitwise_and(flags, 2) > 0)
        # TensorFlow reads an animation only if its header says that it has alpha.
        content = tf.where(animated, with_byte(content, 20, flags | 16), content)
        flags = tf.where(extended, number_at(content, 20, 1), number_at(content, 24, 1))
        lossy = has_part(content, 12, b"VP8 ")
        alpha = ~lossy & (tf.bitwise.bitwise_and(flags, 16) > 0)

    def decode(channels: int) -> Any:
        return tf.io.decode_image(content, channels=channels, expand_animations=False)[..., :3]

    image = tf.cond(alpha, lambda: decode(4), lambda: decode(3))
    start = find_chunk(content, b"EXIF", first=12, big=False)
    # Some writers repeat the marker of JPEG files.
    start += tf.where(has_part(content, start, b"Exif\0\0"), 6, 0)
    return upright(image, orientation_at(content, start))


def _decode_gif(content: Any) -> Any:
    """Decode the first frame of a GIF; transparent pixels keep the color of the palette."""
    import tensorflow as tf

    flags = _find_gif_control(content) + 3
    opaque = with_byte(content, flags, number_at(content, flags, 1) & 0xFE)
    readable = tf.where(flags >= 3, opaque, content)
    return tf.io.decode_image(readable, channels=3, expand_animations=False)


def _decode_bmp(content: Any) -> Any:
    """Decode a BMP of 24 or 32 bits, or of 8 bits with a palette."""
    import tensorflow as tf

    def by_palette() -> Any:
        start = 14 + number_at(content, 14, 4)
        colors = tf.reshape(bytes_at(content, start, 4 * 256), [256, 4])[:, 2::-1]  # stored as BGR
        with tf.control_dependencies(
            [tf.debugging.assert_equal(number_at(content, 30, 4), 0, "a compressed BMP")]
        ):
            indices = tf.io.decode_bmp(content, channels=0)
        return tf.gather(colors, tf.cast(indices[..., 0], tf.int32))

    return tf.cond(
        tf.equal(number_at(content, 28, 2), 8),
        by_palette,
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )


def _find_gif_control(content: Any) -> Any:
    """Return the position of the graphic control block before the first frame, or -3."""
    import tensorflow as tf

    length = tf.strings.length(content)
    flags = number_at(content, 10, 1)
    colors = tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def step(position: Any, inside: Any, found: Any) -> tuple[Any, Any, Any]:
        here = number_at(content, position, 1)
        control = ~inside & (here == 0x21) & (number_at(content, position + 1, 1) == 0xF9)
        after = tf.where(inside, position + 1 + here, position + 2)
        going_on = tf.where(inside, here > 0, True)  # an extension is parts until an empty one
        return after, going_on, tf.where(control, position, found)

    def going(position: Any, inside: Any, found: Any) -> Any:
        extension = inside | (number_at(content, position, 1) == 0x21)
        return (found < 0) & (position < length) & extension

    start = [13 + colors, tf.constant(value=False), -3]
    return walk(going, step, start)[2]
