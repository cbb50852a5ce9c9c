"""Faults of images, and images that look alike."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from kerasft.data_finding import DataFinding, listed
from kerasft.modalities.images_alike import difference_hash, images_alike, images_at
from kerasft.modalities.input_types import InputAudit

_LEAST = 16  # pixels of the shorter side
_PART = 4  # a shorter side below this part of `image_size` has too few pixels
_LONG = 4  # ratio of the sides above which `resize=crop` drops most of an image
_IMAGES = ("image is", "images are")
_FLAT = 8  # range of the values of a blank image
# Formats that share the extensions of another: photographs of phones are MPO files called .jpg.
_SAME = {"MPO": "JPEG", "DIB": "BMP"}


class Header(NamedTuple):
    """What the beginning of an image file says.

    Attributes:
        origin: Origin of the example.
        size: Width and height in pixels.
        format: Format by content, such as `PNG`; empty for an array.
        expected: Format by the extension of the file; empty where it has no known one.
        animated: Whether it has more than one frame.
    """

    origin: str
    size: tuple[int, int]
    format: str
    expected: str
    animated: bool


def audit_images(config: Any, parts: Sequence[Any], arrays: Sequence[Any] | None) -> InputAudit:
    """Return faults of images, and groups of images that look alike.

    Headers are read again, but nothing is decoded: images are compared as they were prepared.

    Args:
        config: Config with `image_size` and `resize`.
        parts: Raw examples of each split.
        arrays: Prepared images of each split; None to read headers alone.
    """
    found = _audit_headers(config, [header for part in parts for header in read_headers(part)])
    if arrays is None or not all(isinstance(x, np.ndarray) and x.ndim == 4 for x in arrays):
        return InputAudit(found, [])
    hashes, flat = difference_hash(arrays)
    pictures = zip(flat, images_at(arrays, flat), strict=True)
    blank = [index for index, picture in pictures if np.ptp(picture, axis=(0, 1)).max() <= _FLAT]
    origins = [origin for part in parts for origin in part.origins]
    found += listed(
        "blank_images",
        "warning",
        [origins[index] for index in blank],
        _IMAGES,
        "blank: all pixels have one color",
        advice="Remove blank images, or correct them.",
    )
    return InputAudit(found, images_alike(arrays, hashes, left_out=flat))


def read_headers(examples: Any) -> Iterator[Header]:
    """Yield the headers of images; those that cannot be read are left out."""
    for item, origin in zip(examples.inputs, examples.origins, strict=True):
        if isinstance(item, np.ndarray):
            yield Header(origin, (item.shape[1], item.shape[0]), "", "", animated=False)
        elif isinstance(item, Image.Image):
            yield Header(origin, item.size, "", "", animated=False)
        elif (header := _read_header(item, origin)) is not None:
            yield header


def _read_header(item: Path | bytes, origin: str) -> Header | None:
    suffix = item.suffix.lower() if isinstance(item, Path) else ""
    try:
        with Image.open(io.BytesIO(item) if isinstance(item, bytes) else item) as image:
            animated = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
            shape, kind = image.size, _SAME.get(image.format or "", image.format or "")
    except Exception:  # of many types, see `decode_image`, which has read the image before
        return None
    expected = Image.registered_extensions().get(suffix, "")
    return Header(origin, shape, kind, _SAME.get(expected, expected), animated)


def _audit_headers(config: Any, headers: list[Header]) -> list[DataFinding]:
    found = listed(
        "animated_images",
        "warning",
        [header.origin for header in headers if header.animated],
        _IMAGES,
        "animated: only the first frame is read",
        advice="Save the frame that shows the class as a file of its own.",
    )
    wrong = [h for h in headers if h.format and h.expected not in ("", h.format)]
    kinds = sorted({f"{h.format} named {Path(h.origin).suffix}" for h in wrong})
    found += listed(
        "wrong_extensions",
        "note",
        [header.origin for header in wrong],
        ("file has", "files have"),
        f"an extension of another format ({', '.join(kinds[:3])}); they are read by their content",
        advice="Rename them for other tools.",
    )
    return [*_small(config, headers), *found, *_long(config, headers)]


def _small(config: Any, headers: list[Header]) -> list[DataFinding]:
    """Return a finding for images with few pixels: exceptions are faults, a majority is not."""
    least = max(_LEAST, config.image_size // _PART)
    small = [header for header in headers if min(header.size) < least]
    if 2 * len(small) < len(headers):
        return listed(
            "tiny_images",
            "warning",
            [header.origin for header in small],
            _IMAGES,
            f"less than {least} pixels wide or high (image_size={config.image_size})",
            advice="Remove thumbnails and icons, or replace them by the originals.",
        )
    sides = sorted(min(header.size) for header in headers)
    usual = sides[len(sides) // 2] if sides else 0
    fitting = max(32, -(-usual // 32) * 32)
    if fitting >= config.image_size:
        return []
    return listed(
        "small_images",
        "note",
        [header.origin for header in small],
        _IMAGES,
        f"less than {least} pixels wide or high (median {usual}): a smaller image_size is faster",
        changes={"image_size": fitting},
    )


def _long(config: Any, headers: list[Header]) -> list[DataFinding]:
    if config.resize != "crop":
        return []
    return listed(
        "long_images",
        "warning",
        [h.origin for h in headers if max(h.size) > _LONG * min(h.size)],
        _IMAGES,
        f"more than {_LONG} times as long as wide: resize=crop keeps less than a quarter of each",
        changes={"resize": "pad"},
    )
