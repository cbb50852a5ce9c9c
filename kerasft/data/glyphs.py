"""Rendered letters of many scripts, without digits, to pretrain a small network.

The letters come from the font files of Matplotlib (DejaVu, STIX, Computer Modern). Every call draws
new images, so a network cannot overfit to a fixed set.

A drawing is stored as a signed distance field (after Green, "Improved Alpha-Tested Magnification
for Vector Textures and Special Effects", SIGGRAPH 2007): thick or thin, sharp or soft strokes are
then one offset and one slope away, without morphology for each image. Each letter has its outline
in every font, and a pen drawing: a line of constant width along its skeleton.

No class is a digit. A character is excluded if Unicode assigns it a numeric value, if its name
contains a number word, if it is a common look-alike of an ASCII digit (``LOOK_ALIKES``) or nearly
identical to one, or if it nearly matches a digit in any font. Digits are drawn only for that
comparison, never as images. Letters that merely share strokes with digits (P, h, y, Cyrillic Ya)
remain.
"""

import functools
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Floats = NDArray[np.float32]
FONTS = (
    "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSerif-Italic", "DejaVuSans-Bold",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmtt10", "cmti10", "cmmi10", "cmss10",
)  # fmt: skip
DIGITS, LOOK_ALIKES = "0123456789", "OoQDIl|ZzSsBbgq"
NUMBER_WORDS = {"ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "DIGIT"}
CLASSES = 900  # at most
CELL = 48  # side of an atlas cell, in cell pixels
INK = 36  # the longer side of a drawing inside its cell, in cell pixels
STEP = 8.0  # field units per cell pixel, so that int8 covers almost 16 pixels in each direction
# Cosine similarities of blurred drawings above which a class is dropped: of a letter and a digit;
# and of a letter and an earlier class or one of LOOK_ALIKES.
DIGIT_LIKE, TWIN_LIKE = 0.82, 0.92
KNOTS = 6  # control points of the elastic field along each axis
CHUNK = 256  # images drawn at once, so that their arrays fit into the CPU cache


class Atlas(NamedTuple):
    """Every drawing as a distance field, sorted by class.

    Attributes:
        names: Names of the classes, such as "U+0416".
        fields: Signed distances to the outline in 1/STEP cell pixels, positive inside; for a pen
            line, minus the distance to its center line. int8 (drawings, CELL, CELL).
        pen: Whether each field is of a pen line. bool (drawings,).
        firsts: Index of the first drawing of each class. int (classes,).
        counts: Number of drawings of each class. int (classes,).
    """

    names: list[str]
    fields: NDArray[np.int8]
    pen: NDArray[np.bool_]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]


def glyph_names() -> list[str]:
    """Return the class names in label order: code points of the letters, such as "U+0416"."""
    return list(_atlas().names)


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
    atlas = _atlas()
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


@functools.cache
def _atlas() -> Atlas:
    """Build the atlas, once per process: about 10 s and 20 MB."""
    chars = [*DIGITS, *LOOK_ALIKES, *_plain_letters()]
    solids = [_draw_fonts(char) for char in chars]
    ends = np.cumsum([len(solid) for solid in solids])[:-1]
    lines = np.split(_fields(_thin(np.concatenate(solids)), pen=True), ends)
    letters = len(DIGITS + LOOK_ALIKES)
    barred = _looks(np.concatenate(lines[: len(DIGITS)]))
    taken = _looks(np.concatenate(lines[len(DIGITS) : letters]))
    usable = []
    for char, solid, pen in list(zip(chars, solids, lines, strict=True))[letters:]:
        looks = _looks(pen)
        # Near-identical letters, such as Greek Alpha and Latin A, would make labels ambiguous.
        if (looks @ barred.T).max() < DIGIT_LIKE and (looks @ taken.T).max() < TWIN_LIKE:
            usable.append((char, _fields(solid, pen=False), pen))
            taken = np.concatenate([taken, looks[:1]])
    # Evenly spaced, to include every script.
    chosen = [
        usable[i] for i in np.linspace(0, len(usable) - 1, min(CLASSES, len(usable))).astype(int)
    ]
    names = [f"U+{ord(char):04X}" for char, _, _ in chosen]
    fields = np.concatenate([field for _, *both in chosen for field in both])
    count = np.array([2 * len(pen) for _, _, pen in chosen])
    pens = np.concatenate([np.repeat([False, True], half) for half in count // 2])
    return Atlas(names, fields, pens, np.cumsum(count) - count, count)


@functools.cache
def _font(name: str) -> tuple["FreeTypeFont", set[str]]:
    """Return a font of Matplotlib and the characters that it contains."""
    import matplotlib
    from matplotlib.ft2font import FT2Font
    from PIL import ImageFont

    path = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf")
    chars = set(map(chr, FT2Font(path).get_charmap()))
    if name[:2] == "cm":  # beyond ASCII, Computer Modern's code points are TeX's, not Unicode's
        chars = set(filter(str.isascii, chars))
    return ImageFont.truetype(path, 2 * INK), chars


def _plain_letters() -> list[str]:
    """Return the letters of DejaVu Sans that have no accent and are not numbers.

    Accented letters differ too little in an image of 32 pixels.
    """
    letters = []
    for char in sorted(_font(FONTS[0])[1] - set(LOOK_ALIKES)):
        words = set(unicodedata.name(char, "").replace("-", " ").split())
        varied = unicodedata.decomposition(char) or words & {"WITH", "TONE", "LIGATURE"}
        number = unicodedata.numeric(char, None) is not None or words & NUMBER_WORDS
        if unicodedata.category(char) in ("Lu", "Ll", "Lo") and not varied and not number:
            letters.append(char)
    return letters


def _draw_fonts(char: str) -> NDArray[np.bool_]:
    """Draw one character in every font that has it: bool (fonts, CELL, CELL), true on ink.

    Each drawing is centered, and its longer side is INK.
    """
    from PIL import Image, ImageDraw

    cells = []
    for font in [font for font, chars in map(_font, FONTS) if char in chars]:
        canvas = Image.new("L", (6 * INK, 6 * INK))
        ImageDraw.Draw(canvas).text((2 * INK, INK), char, fill=255, font=font)
        drawing = canvas.crop(canvas.getbbox())
        scale = INK / max(drawing.size)
        wide, tall = (max(2, round(side * scale)) for side in drawing.size)
        cell = Image.new("L", (CELL, CELL))
        small = drawing.resize((wide, tall), Image.Resampling.BOX)
        cell.paste(small, ((CELL - wide) // 2, (CELL - tall) // 2))
        cells.append(np.asarray(cell) > 100)
    return np.stack(cells)


def _fields(ink: NDArray[np.bool_], *, pen: bool) -> NDArray[np.int8]:
    """Convert ink (n, CELL, CELL) to the distance fields of ``Atlas``."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    def distance(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        # A distance of 1000 pixels between drawings keeps nearest pixels within one drawing.
        parts = np.array_split(inside, -(-len(inside) // CHUNK))
        return np.concatenate([distance_transform_edt(part, (1000, 1, 1)) for part in parts])

    if pen:  # slight smoothing removes the staircase of lines of whole pixels
        field = -gaussian_filter(distance(~ink), (0, 0.8, 0.8))
    else:  # half a pixel less on each side, so that pixel-center distances meet at the outline
        field = np.where(ink, distance(ink) - 0.5, 0.5 - distance(~ink))
    return np.clip(np.rint(field * STEP), -127, 127).astype(np.int8)


def _thin(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin ink, bool (n, CELL, CELL), to lines one pixel wide, all drawings at once.

    Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", CACM 27(3), 1984.
    """
    ink = solid.astype(np.int8)
    # Clockwise from the pixel above.
    around = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    for part in (ink[start : start + CHUNK] for start in range(0, len(ink), CHUNK)):
        before = -1
        while before != (before := int(part.sum())):
            for odd in (True, False):
                pad = np.pad(part, ((0, 0), (1, 1), (1, 1)))
                ring = [pad[:, 1 + y : 1 + y + CELL, 1 + x : 1 + x + CELL] for y, x in around]
                total = np.sum(ring, axis=0, dtype=np.int8)
                rises = sum((1 - a) * b for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
                n, e, s, w = ring[::2]
                corner = n * e * s + e * s * w if odd else n * e * w + n * s * w
                gone = (part == 1) & (total >= 2) & (total <= 6) & (rises == 1) & (corner == 0)
                part[gone] = 0
    return ink.astype(bool)


def _looks(pen: NDArray[np.int8]) -> Floats:
    """Return unit vectors (n, 256) of pen lines (n, CELL, CELL), for cosine similarity."""
    ink = np.exp(-0.5 * (pen.astype(np.float32) / (STEP * 2.5)) ** 2)
    small = ink.reshape(len(pen), 16, CELL // 16, 16, CELL // 16).mean((2, 4)).reshape(len(pen), -1)
    small -= small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)
