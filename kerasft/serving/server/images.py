"""The size of images, read from their headers before they are decoded."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from kerasft.serving.server.saved_model import Signature

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
_MOST_FRAMES = 1000
_NO_IMAGE = b"no image"


def check_images(signature: Signature, inputs: dict[str, np.ndarray], pixels: int) -> None:
    """Refuse images of too many pixels, in an input named `bytes`.

    A file without a readable header is replaced: the model reports it, and decodes nothing.

    Args:
        signature: Signature that reads the inputs.
        inputs: Inputs by name.
        pixels: Most pixels of an image, over all frames of an animation.

    Raises:
        HTTPException: An image has more pixels.
    """
    files = inputs.get("bytes")
    if files is None or files.dtype != object or "bytes" not in signature.inputs:
        return
    for index, content in enumerate(files.flat):
        found = _pixels(content, pixels)
        if found is None:
            files.flat[index] = _NO_IMAGE
        elif found > pixels:
            raise HTTPException(
                413, f"Image {index} has more than {pixels:,} pixels, over all of its frames."
            )


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
