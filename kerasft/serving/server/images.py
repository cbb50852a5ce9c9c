"""The size of images, read from their headers before they are decoded."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from kerasft.serving.server.values import is_bytes

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
_BEGINNINGS = (b"BM", b"GIF8", b"\xff\xd8\xff", b"\x89PNG")
_MOST_FRAMES = 1000
_NO_IMAGE = b"no image"
# The images of a request, and of a batch, have together at most so many times the largest one.
TOGETHER = 4


def check_images(inputs: dict[str, np.ndarray], most: int) -> int:
    """Return the pixels of all images in binary inputs, and refuse too many.

    A file of another format is left to the model, for TensorFlow does not decode it as an image. A
    file whose header cannot be read is replaced: the model reports it, and decodes nothing.

    Args:
        inputs: Inputs by name; `bytes`, and names that end in `_bytes`, are binary.
        most: Most pixels of an image, over all frames of an animation.

    Raises:
        HTTPException: An image has more pixels, or all of them have too many together.
    """
    total = 0
    for name, files in inputs.items():
        if (name == "bytes" or is_bytes(name)) and files.dtype == object:
            total += _pixels_of_files(files, most)
    if total > TOGETHER * most:
        raise HTTPException(
            413,
            f"The images have {total:,} pixels together, more than {TOGETHER * most:,}. Send fewer "
            "in a request, or smaller ones.",
        )
    return total


def _pixels_of_files(files: np.ndarray, most: int) -> int:
    total = 0
    for index, content in enumerate(files.flat):
        if not _begins_like_an_image(content):
            continue
        found = _pixels(content, most)
        if found is None:
            files.flat[index] = _NO_IMAGE
        elif found > most:
            raise HTTPException(
                413, f"Image {index} has more than {most:,} pixels, over all of its frames."
            )
        total += found or 0
    return total


def _begins_like_an_image(content: bytes) -> bool:
    webp = content.startswith(b"RIFF") and content[8:12] == b"WEBP"
    return webp or content.startswith(_BEGINNINGS)


def _pixels(content: bytes, most: int) -> int | None:
    """Return the pixels of a file, or a number above the most; None if it is no image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return _pixels_of_frames(image, most)
    except (Image.DecompressionBombError, MemoryError):
        return most + 1
    # Pillow raises many types on damaged content, as in `decode_image`.
    except Exception:
        return None


def _pixels_of_frames(image: Image.Image, most: int) -> int:
    found, frames = image.width * image.height, 1
    if found > most or not getattr(image, "is_animated", False):
        return found
    while found <= most:
        try:
            image.seek(frames)
        except EOFError:
            return found
        frames += 1
        found += image.width * image.height  # a frame of a GIF may be larger than the first
        if frames > _MOST_FRAMES:
            return most + 1
    return found
