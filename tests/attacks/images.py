"""Damaged images, odd images that are valid, and headers that promise too much."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.attacks.attack import Attack, Place

FORMATS = {
    "png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tiff": "TIFF",
    "ppm": "PPM", "tga": "TGA", "ico": "ICO", "pcx": "PCX", "jp2": "JPEG2000", "dds": "DDS",
}  # fmt: skip
# Modes that a format can save; every one must be read as RGB.
MODES = {
    "png": ("1", "L", "LA", "P", "RGBA", "I;16"),
    "jpg": ("L", "CMYK"),
    "gif": ("L", "P", "RGBA"),
    "bmp": ("1", "L", "P", "RGBA"),
    "webp": ("RGBA", "LA"),
    "tiff": ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "LAB", "YCbCr"),
    "tga": ("L", "LA", "RGBA"),
    "ppm": ("1", "L", "I"),
}
FIT = ["fit", "resnet_digits", "--dataset", "photos", "--image-size", "16"]


def picture(kind: str = "png", mode: str = "RGB", level: int = 0, **options: object) -> bytes:
    """Return a small image of a color as a file of a format; it need not be resized."""
    image = Image.new("RGB", (16, 16), (level, 90, 9))
    gray = image.convert("I") if mode in ("I;16", "F", "I") else image
    file = io.BytesIO()
    gray.convert(mode).save(file, FORMATS[kind], **options)
    return file.getvalue()


DAMAGES = {
    "empty": lambda content: b"",
    "its first 3 bytes": lambda content: content[:3],
    "its first 20 bytes": lambda content: content[:20],
    "zero bytes": lambda content: bytes(len(content)),
    "all bits flipped": lambda content: bytes(255 - byte for byte in content),
    "a text": lambda content: b"no image at all\n" * 20,
    "a page of HTML": lambda content: b"<!DOCTYPE html><title>404</title>" * 9,
    "a pickle": lambda content: b"cos\nsystem\n(S'touch hacked'\ntR.",
}
HALVED = ("png", "jpg", "bmp", "webp", "tiff", "ppm", "tga", "jp2", "dds")


def with_photos(place: Place, name: str, content: bytes) -> None:
    """Write two classes of six good images, and one file among them."""
    for count in range(6):
        place.write(f"photos/cat/good{count}.png", picture(level=count))
        place.write(f"photos/dog/good{count}.jpg", picture("jpg", level=99 + 9 * count))
    place.write(f"photos/cat/{name}", content)


def _damaged(kind: str, damage: str, content: bytes) -> Attack:
    name = f"bad.{kind}"
    return Attack(
        "images", f"{kind}: {damage}", FIT, 3, [name],
        lambda place: with_photos(place, name, content), without=["good"],
    )  # fmt: skip


def _valid(name: str, what: str, content: bytes) -> Attack:
    """A valid image beside a damaged one: only the damaged one is named."""

    def arrange(place: Place) -> None:
        with_photos(place, name, content)
        place.write("photos/dog/bad.png", b"no image")

    return Attack("images", what, FIT, 3, ["bad.png"], arrange, without=["good", name])


def _png(width: int, height: int) -> bytes:
    """Return a PNG whose header promises a size that its one row of pixels does not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def _huge() -> Iterator[tuple[str, str, bytes]]:
    for width, height in ((0, 0), (1, 0), (60_000, 60_000), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1)):
        yield "png", f"a header of {width} by {height}", _png(width, height)
    for size in (0, 60_000, 2**31 - 1):
        content = picture("bmp")
        yield "bmp", f"a header of {size}", content[:18] + struct.pack("<ii", size, size)
    content = picture("gif")
    yield "gif", "a header of 65,535", content[:6] + struct.pack("<HH", 65535, 65535) + content[10:]
    yield "ppm", "a header of 99,999,999", b"P6 99999999 99999999 255\n" + bytes(99)
    yield "ppm", "a header with a number of 5,000 digits", b"P6 " + b"9" * 5000 + b" 1 255\n"
    yield "tiff", "a directory that points at itself", b"II*\0\x08\0\0\0" + b"\1\0" + bytes(8) * 2


def _odd() -> Iterator[tuple[str, str, bytes]]:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for kind in ("gif", "png", "webp", "tiff"):
        file = io.BytesIO()
        frames[0].save(file, FORMATS[kind], save_all=True, append_images=frames[1:])
        yield f"odd.{kind}", f"an animated {kind}", file.getvalue()
    yield "odd.jpg", "a png called jpg", picture("png")
    yield "odd.png", "a jpg called png", picture("jpg")
    yield "odd.PNG", "an extension in capitals", picture("png")
    yield "odd.jpeg", "a progressive jpg", picture("jpg", progressive=True)
    yield "odd.png", "bytes after the end", picture("png") + b"<?php" * 99
    yield "odd.jpg", "a comment that is a program", picture("jpg", comment=b"$(touch hacked)")
    for orientation in (0, 3, 6, 9, 65535):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield "odd.jpg", f"an EXIF orientation of {orientation}", picture("jpg", exif=exif)
    yield (
        "odd.jpg",
        "an EXIF block that is noise",
        picture("jpg", exif=b"Exif\0\0MM\0*" + b"\xff" * 40),
    )


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for kind in FORMATS:
        for damage, change in DAMAGES.items():
            yield _damaged(kind, damage, change(picture(kind)))
    for kind in HALVED:
        content = picture(kind)
        yield _damaged(kind, "its first half", content[: len(content) // 2])
    for kind, damage, content in _huge():
        yield _damaged(kind, damage, content)
    for kind, modes in MODES.items():
        for mode in modes:
            yield _valid(f"odd.{kind}", f"{kind} of mode {mode}", picture(kind, mode))
    for name, what, content in _odd():
        yield _valid(name, what, content)
