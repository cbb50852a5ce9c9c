"""Decode images of any format and resize them."""

from __future__ import annotations

import functools
import io
import math
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from kerasft.arrays import allocate
from kerasft.config import ImageConfig
from kerasft.display import progress
from kerasft.errors import BadExamplesError, DataError, ResourceError
from kerasft.paths import file_name
from kerasft.threads import in_threads

# Formats that Pillow registers but cannot decode by itself, or that are not images.
_NOT_DECODED = ("MPEG", "EPS", "WMF")

_ORIENTATION = 0x0112  # tag of EXIF
_MOST_PIXELS = 25e6  # of an image as float32, which takes 300 MB

# Beginnings of files that `graph_decoding` reads.
_SERVED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
_BMP_PLAIN = (0, 3)  # compressions of a BMP whose pixels follow each other
_ORIENTED_OUTSIDE_EXIF = (b"tiff:Orientation", b"Raw profile type exif")


@functools.cache
def image_extensions() -> frozenset[str]:
    """Return the file extensions that Pillow decodes, in lower case with their dot."""
    known = Image.registered_extensions()

    def decodes(name: str) -> bool:
        factory = Image.OPEN[name][0] if name in Image.OPEN else None
        stub = isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
        return factory is not None and not stub and name not in _NOT_DECODED

    return frozenset(extension for extension, name in known.items() if decodes(name))


def decode_image(source: Path | bytes | np.ndarray | Image.Image, origin: str) -> np.ndarray:
    """Return an image as RGB.

    The EXIF orientation is applied, alpha is dropped (as TensorFlow's decoder does for three
    channels). 16-bit values are reduced to their top byte, animations to their first frame.

    Args:
        source: Path of an image file, its bytes, an image of Pillow, or an array of shape (height,
            width) or (height, width, 1, 3 or 4) with values from 0 to 255.
        origin: Name of the image in error messages; that of a file has its path too.

    Returns:
        uint8 of shape (height, width, 3).

    Raises:
        DataError: The source is not an image, or is damaged.
        ResourceError: There is not enough memory.
    """
    if isinstance(source, np.ndarray):
        return _array_to_rgb(source, origin)
    if isinstance(source, Path):
        origin = file_name(source, origin)
    try:
        if isinstance(source, Image.Image):
            return _upright(source)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.load()
            return _upright(image)
    except Image.DecompressionBombError as error:
        raise DataError(f"{origin} has too many pixels: {error} Scale it down.") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{origin} is not an image that Pillow can read. Replace it or remove it from the data."
        ) from error
    except MemoryError as error:
        raise ResourceError(f"Not enough memory to decode {origin}. Scale it down.") from error
    # Pillow's decoders raise many types on damaged content: OSError, SyntaxError, ValueError,
    # struct.error, zlib.error and others; each means that the file is unusable.
    except Exception as error:
        raise DataError(
            f"{origin} cannot be decoded ({error}). Replace it or remove it from the data."
        ) from error


def encoded_image(source: Path | bytes | np.ndarray | Image.Image, origin: str) -> bytes:
    """Return an image as a file that a served model reads.

    A file that the graph reads with the same pixels is returned as it is. Other files, images of
    Pillow and arrays become PNG files of the same pixels.

    Args:
        source: Image, as in `decode_image`.
        origin: Name of the image in error messages.

    Raises:
        DataError: The source is not an image, or cannot be read.
    """
    content = source
    if isinstance(source, Path):
        try:
            content = source.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{origin} cannot be read: {reason}. Check the file.") from error
    if isinstance(content, bytes) and content.startswith(_SERVED) and not _only_pillow(content):
        return content
    file = io.BytesIO()
    # Not its bytes: Pillow reads some formats by their file only.
    Image.fromarray(decode_image(source, origin)).save(file, "PNG")
    return file.getvalue()


def _only_pillow(content: bytes) -> bool:
    """Return whether the graph reads a file of a served format with other pixels, or not at all.

    That is a BMP that is compressed or does not have 8, 24 or 32 bits, and a file whose
    orientation is in XMP or in a text of a PNG.
    """
    if content.startswith(b"BM"):
        bits, compression = struct.unpack_from("<HI", content.ljust(34, b"\0"), 28)
        return bits not in (8, 24, 32) or compression not in _BMP_PLAIN
    if not any(mark in content for mark in _ORIENTED_OUTSIDE_EXIF):
        return False
    try:
        with Image.open(io.BytesIO(content)) as image:
            return bool(image.getexif().get(_ORIENTATION, 1) != 1)
    except Exception:  # damaged, of any type (see `decode_image`): the graph says so
        return False


def _upright(image: Image.Image) -> np.ndarray:
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    return np.array(_to_rgb(_thinned(image)), dtype=np.uint8)


def _thinned(image: Image.Image) -> Image.Image:
    """Return a very large image with the pixels that `resize_image` reads, before it is copied."""
    step = math.ceil(math.sqrt(image.width * image.height / _MOST_PIXELS))
    if step <= 1 or image.mode.startswith("I;16"):  # a mode that Pillow does not transform
        return image
    size = math.ceil(image.width / step), math.ceil(image.height / step)
    first = 0.5 - step / 2  # so that the nearest pixel is the first of each `step`
    matrix = (step, 0, first, 0, step, first)
    return image.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(image), image.mode)).convert("RGB")
    if image.mode in ("P", "PA"):  # transparent palette entries keep their color
        image = image.convert("RGBA")
    if image.mode in ("LA", "La"):
        return image.convert("LA").getchannel("L").convert("RGB")
    if image.mode in ("RGBA", "RGBa"):
        return Image.merge("RGB", image.convert("RGBA").split()[:3])
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale grayscale values of 16 bits, 32 bits, or floats (0 to 1, or 0 to 255) to 8 bits."""
    if mode == "F":
        values = np.nan_to_num(values)
        scaled = values * 255 if values.max(initial=0) <= 1 else values
        return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    values = np.clip(values.astype(np.int64), 0, None)
    shift = 8 if values.max(initial=0) < 1 << 16 else 24
    return np.minimum(values >> shift, 255).astype(np.uint8)


def _array_to_rgb(array: np.ndarray, origin: str) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.dtype != np.uint8:
        raise DataError(
            f"{origin} is a {array.dtype} array of shape {array.shape}, but must be uint8 of shape "
            "(height, width) or (height, width, 1, 3 or 4). Scale values to 0 to 255 and convert "
            "them with .astype('uint8')."
        )
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[..., :3]


def resize_image(image: Any, size: int, how: str) -> Any:
    """Resize one image to size by size pixels, bilinear and antialiased.

    Training and exported graphs use the same function. Of an image above 25 million pixels only
    every second (third, ...) row and column is read, so that it takes little memory.

    Args:
        image: Tensor or array of shape (height, width, 3), values from 0 to 255.
        size: Height and width in pixels.
        how: Fit of non-square images: `crop` (center), `stretch`, or `pad` (with black).

    Returns:
        uint8 tensor of shape (size, size, 3).
    """
    height, width = keras.ops.shape(image)[:2]
    pixels = keras.ops.cast(height, "float32") * keras.ops.cast(width, "float32")
    step = keras.ops.cast(keras.ops.ceil(keras.ops.sqrt(pixels / _MOST_PIXELS)), "int32")
    image = image[::step, ::step]
    if hasattr(image, "set_shape"):  # a graph of TensorFlow does not infer the rank of such a part
        image.set_shape((None, None, 3))
    image = keras.ops.cast(image, "float32")
    resized = keras.ops.image.resize(
        image,
        (size, size),
        interpolation="bilinear",
        antialias=True,
        crop_to_aspect_ratio=how == "crop",
        pad_to_aspect_ratio=how == "pad",
        data_format="channels_last",
    )
    return keras.ops.cast(keras.ops.clip(keras.ops.round(resized), 0, 255), "uint8")


@functools.cache
def _resizer(size: int, how: str) -> Callable[[np.ndarray], Any]:
    if keras.backend.backend() != "tensorflow":
        return lambda image: resize_image(image, size, how)
    import tensorflow as tf

    # One graph for all sizes: eager calls take several times as long.
    signature = [tf.TensorSpec([None, None, 3], tf.uint8)]
    graph = tf.function(lambda image: resize_image(image, size, how), input_signature=signature)
    with tf.device("CPU:0"):
        traced = graph.get_concrete_function()  # half the time of a call of a small image

    def resize(image: np.ndarray) -> Any:
        with tf.device("CPU:0"):
            return traced(tf.constant(image))

    return resize


def prepare_images(config: ImageConfig, examples: Any) -> np.ndarray:
    """Decode and resize all images in parallel, in order.

    Args:
        config: Config with `image_size` and `resize`.
        examples: Images (`kerasft.Examples`).

    Returns:
        uint8 of shape (n, image_size, image_size, 3).

    Raises:
        BadExamplesError: Images cannot be decoded.
        ResourceError: Neither memory nor disk has enough space.
    """
    size = config.image_size
    shape = (len(examples), size, size, 3)
    what = f"images of {size} by {size} pixels ({len(examples):,})"
    advice = "use a smaller `image_size` or fewer examples"
    prepared = allocate(shape, np.dtype(np.uint8), what, advice)
    resize, errors = _resizer(size, config.resize), dict[int, str]()

    def prepare(index: int) -> DataError | None:
        try:
            image = decode_image(examples.inputs[index], examples.origins[index])
        except DataError as error:
            return error
        if image.shape[:2] != (size, size):
            image = keras.ops.convert_to_numpy(resize(image))
        prepared[index] = image
        return None

    with warnings.catch_warnings():  # around all threads, which share the filters
        # Pillow warns about odd metadata and very large images that it still decodes.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with progress("decoding images", len(examples)) as bar:
            results = in_threads(prepare, range(len(examples)), config.data_workers)
            for index, error in enumerate(results):
                bar.advance()
                if error is not None:
                    errors[index] = str(error)
    if errors:
        raise BadExamplesError(errors)
    return prepared
