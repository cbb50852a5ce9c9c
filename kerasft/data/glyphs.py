"""Rendered letters, to pretrain a small network: every call draws new images.

A network cannot overfit to a fixed set. The drawings come from `glyph_atlas`.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from kerasft.data.glyph_atlas import CELL, CHUNK, INK, STEP, Atlas, Floats, make_atlas

KNOTS = 6  # control points of the elastic field along each axis


def glyph_names() -> list[str]:
    """Return the class names in label order: code points of the letters, such as "U+0416"."""
    return list(make_atlas().names)


def render_glyphs(
    count: int, *, seed: int, image_size: int = 32
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw random glyphs, the same for the same arguments.

    Args:
        count: Number of images.
        seed: Random seed, >= 0.
        image_size: Height and width of an image in pixels, >= 8.

    Returns:
        uint8 images (count, image_size, image_size, 3), 0 to 255, three equal channels, mostly
        light letters on dark; and int32 labels (count,), indices into ``glyph_names()``.
    """
    atlas = make_atlas()
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(atlas.names), size=count).astype(np.int32)
    rows = atlas.firsts[labels] + rng.integers(atlas.counts[labels])
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _draw(atlas, rows[part], rng, image_size)[..., None]
    return images, labels


def _draw(
    atlas: Atlas, rows: NDArray[np.int64], rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    """Draw the atlas's ``rows`` as uint8 images (n, size, size)."""
    n = len(rows)
    field = _sample(atlas.fields, rows, *_coordinates(n, rng, size))

    def each(low: float, high: float) -> Floats:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    # Cell pixels. A pen of radius 1 to 3.2 is 1/18 to 1/6 of the drawing wide, as in handwriting;
    # outlines already have a width that changes only slightly.
    width = np.where(atlas.pen[rows, None, None], each(1.0, 3.2), each(-0.6, 1.2))
    ink = np.clip((field / np.float32(STEP) + width) / (each(1.0, 2.5) * CELL / size) + 0.5, 0, 1)
    ways = _degradations(size)
    for way, at in enumerate(np.array_split(rng.permutation(n), len(ways))):
        ink[at] = ways[way] @ ink[at] @ ways[way].T
    # Some images have a black background and no noise, as in thresholded scans.
    ground, noise = each(0, 0.25) * (each(0, 1) < 0.4), each(0, 0.08) * (each(0, 1) < 0.5)
    gray = ground + ink * (each(0.6, 1.0) - ground)
    gray += noise * rng.standard_normal(ink.shape, dtype=np.float32)
    gray = np.where(each(0, 1) < 0.12, 1 - gray, gray)
    return np.clip(gray * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _coordinates(n: int, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Return the cell coordinates of each image pixel: y and x, (n, size, size), cell pixels.

    A random affine map is followed by an elastic one: a smooth random displacement of each pixel
    (Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", ICDAR 2003). Their Gaussian-smoothed noise is made from Gaussian
    bumps on a coarse grid, which two small matrix products evaluate for all images at once.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1  # the frame is -1 to 1

    def normal(mean: float, deviation: float) -> Floats:
        return rng.normal(mean, deviation, (n, 1, 1)).astype(np.float32)

    angle, shear = normal(0, np.pi / 20), normal(0, 0.2)  # radians; width by height
    tall = 1 / rng.uniform(0.94, 1.4, (n, 1, 1)).astype(np.float32)  # of the frame
    wide = tall * np.exp(normal(-0.05, 0.17))
    dy, dx = axis[:, None] - normal(0, 0.06), axis - normal(0, 0.06)
    # From image to drawing: rotate back, shear back, then undo the scale.
    dy, dx = np.cos(angle) * dy - np.sin(angle) * dx, np.sin(angle) * dy + np.cos(angle) * dx
    dy, dx = dy / tall, (dx - shear * dy) / wide
    knots = np.linspace(-1.1, 1.1, KNOTS)
    bumps = np.exp(-0.5 * ((axis[:, None] - knots) / 0.4) ** 2).astype(np.float32)
    force = rng.normal(0, 1, (2, n, KNOTS, KNOTS)) * rng.uniform(0, 0.11, (n, 1, 1))
    bent = bumps @ force.astype(np.float32) @ bumps.T
    # Outside its cell, a drawing continues as the border of the cell, which is background.
    bent += np.stack([dy, dx])
    y, x = np.clip(bent * np.float32(INK / 2) + np.float32((CELL - 1) / 2), 0, CELL - 1.01)
    return y, x


def _sample(fields: NDArray[np.int8], rows: NDArray[np.int64], y: Floats, x: Floats) -> Floats:
    """Interpolate ``fields[rows]`` bilinearly at (n, h, w) coordinates."""
    flat = fields.reshape(-1)
    top, left = y.astype(np.int32), x.astype(np.int32)
    index = top * CELL + left + (rows.astype(np.int32) * (CELL * CELL))[:, None, None]
    y, x = y - top, x - left
    upper = flat[index] * (1 - x) + flat[index + 1] * x
    lower = flat[index + CELL] * (1 - x) + flat[index + (CELL + 1)] * x
    return upper + y * (lower - upper)


@functools.cache
def _degradations(size: int) -> tuple[Floats, ...]:
    """Return matrices (size, size) that degrade one axis; the first two are the identity.

    Six downsample to 8 to 16 pixels by area and upsample bilinearly, as in an enlarged small scan.
    """
    eye = np.eye(size, dtype=np.float32)
    ways = [eye, eye]
    for low in (8, 8, 8, 10, 12, 16):
        fine = np.repeat(eye, low, axis=1).reshape(size, low, size).mean(2).T  # (low, size)
        center = np.clip((np.arange(size) + 0.5) * low / size - 0.5, 0, low - 1)
        up = np.maximum(0, 1 - np.abs(center[:, None] - np.arange(low)))  # a tent: bilinear
        ways.append((up @ fine).astype(np.float32))
    offset = np.arange(size, dtype=np.float32)[:, None] - np.arange(size, dtype=np.float32)
    blur = np.exp(-0.5 * (offset * 32 / size) ** 2)  # a Gaussian
    return (*ways, blur / blur.sum(1, keepdims=True))
