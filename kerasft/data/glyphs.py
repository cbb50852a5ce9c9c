"""Rendered characters of many scripts, none of them a digit, to pretrain a small network on.

Nothing is downloaded: the letters come from the font files that Matplotlib carries (DejaVu, STIX,
Computer Modern), and pen scribbles ("doodles") are drawn from random curves. Every call draws
fresh images, so a network that trains on them cannot learn a fixed set by heart.

Each drawing is kept in an atlas as a signed distance field (after Green, "Improved Alpha-Tested
Magnification for Vector Textures and Special Effects", SIGGRAPH 2007): thick or thin, sharp or
soft strokes are then one offset and one slope away, without morphology for each image.

No class is a digit. A character stays out where Unicode calls it a number (categories Nd, No, Nl,
or a numeric value of any kind), where its name speaks of one, where it is a usual stand-in for an
ASCII digit (``LOOK_ALIKES``), and where its drawing, or a doodle's, nearly matches a digit's or a
stand-in's. The digits are drawn for that last comparison only; no image is made of them. Letters
that share strokes with digits (such as C, P, h or y) remain.
"""

import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import ImageFont

Floats = NDArray[np.float32]

FONTS = (
    "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSerif-Italic", "DejaVuSans-Bold",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmtt10", "cmti10", "cmmi10", "cmss10",
)  # fmt: skip
LOOK_ALIKES = "OoQDIl|ZzSsBbgq"
DIGITS = "0123456789"
NUMBER_WORDS = frozenset({
    "ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN",
    "DIGIT", "NUMBER", "NUMERAL", "NUMERIC", "FRACTION", "HUNDRED", "THOUSAND",
})  # fmt: skip
LETTERS = 900  # at most; the fonts yield fewer once look-alikes and twins are gone
DOODLES = 200
DOODLE_VARIANTS = 12

CELL = 48  # side of an atlas cell, in cell pixels
INK = 36  # the longer side of a drawing inside its cell, in cell pixels
STEP = 8.0  # field units per cell pixel: int8 then reaches almost 16 pixels to either side
# Cosines of two blurred drawings from which a class is dropped: of a letter and a digit; of a
# scribble and a digit, lower as scribbles have no other meaning; of two classes, or of one and
# one of LOOK_ALIKES.
DIGIT_LIKE, SCRIBBLE_LIKE, TWIN_LIKE = 0.88, 0.68, 0.94
KNOTS = 6  # control points of the elastic field along each axis
CHUNK = 256  # images drawn at once: their arrays then stay inside the processor's cache


@dataclass(frozen=True)
class Atlas:
    """Every drawing as a distance field, sorted by class.

    Attributes:
        names: One name per class: "U+0416" for a letter, "doodle-017" for a scribble.
        fields: int8 (drawings, CELL, CELL), signed distance to the outline in 1/STEP cell
            pixels, positive inside; for a pen line, minus the distance to its centre.
        pen: bool (drawings,), whether the field is a pen line's.
        first: int (classes,), index of a class's first drawing.
        count: int (classes,), number of a class's drawings.
    """

    names: tuple[str, ...]
    fields: NDArray[np.int8]
    pen: NDArray[np.bool_]
    first: NDArray[np.int64]
    count: NDArray[np.int64]


def glyph_names() -> list[str]:
    """Returns the class names in label order: letters as "U+0416", then "doodle-000" and on."""
    return list(_atlas().names)


def render_glyphs(
    count: int, *, seed: int, image_size: int = 32
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draws fresh random glyphs; the same arguments give the same images.

    Args:
        count: Number of images.
        seed: Seed of everything random here, 0 or above.
        image_size: Side of an image in pixels, at least 8.

    Returns:
        uint8 images (count, image_size, image_size, 3), 0 to 255, three equal channels, mostly
        light strokes on dark; and int32 labels (count,), indices into ``glyph_names()``.
    """
    atlas = _atlas()
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(atlas.names), size=count).astype(np.int32)
    rows = atlas.first[labels] + rng.integers(atlas.count[labels])
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _draw(atlas, rows[part], rng, image_size)[..., None]
    return images, labels


def _draw(
    atlas: Atlas, rows: NDArray[np.int64], rng: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    """Draws the atlas's ``rows`` as uint8 images (n, size, size)."""
    n = len(rows)
    field = _sample(atlas.fields, rows, *_coordinates(n, rng, size))
    # Widths in cell pixels. A pen of radius 1.2 to 3.2 is 1/15 to 1/6 of the drawing wide, as
    # handwritten digits are; outlines already have a width and only gain or lose a little.
    width = np.where(atlas.pen[rows], rng.uniform(1.0, 3.2, n), rng.uniform(-0.6, 1.2, n))
    soft = rng.uniform(1.0, 2.5, n) * CELL / size
    ink = field / np.float32(STEP) + width.astype(np.float32)[:, None, None]
    ink = np.clip(ink / soft.astype(np.float32)[:, None, None] + 0.5, 0.0, 1.0)
    ink = _degrade(ink, rng)
    strength = rng.uniform(0.6, 1.0, (n, 1, 1)).astype(np.float32)
    ground = (rng.uniform(0, 0.25, (n, 1, 1)) * (rng.random((n, 1, 1)) < 0.4)).astype(np.float32)
    noise = rng.uniform(0, 0.08, (n, 1, 1)).astype(np.float32)
    noise[rng.random(n) < 0.5] = 0.0  # half the images stay clean, as scans with a threshold are
    grey = ground + ink * (strength - ground)
    grey += noise * rng.standard_normal(ink.shape, dtype=np.float32)
    dark = rng.random(n) < 0.12
    grey[dark] = 1.0 - grey[dark]
    return np.clip(grey * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _coordinates(n: int, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Returns where each image pixel looks in its cell: y and x, (n, size, size), cell pixels.

    A random affine map, then an elastic one: a smooth random displacement of each pixel (Simard,
    Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003). Their Gaussian-smoothed noise is made from Gaussian bumps on
    a coarse grid, which two small matrix products evaluate for all images at once.
    """
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1  # the frame is -1 to 1
    angle = np.deg2rad(rng.normal(0, 9, n))
    shear = rng.normal(0, 0.2, n)
    tall = rng.uniform(0.72, 1.06, n)  # the drawing's height as a part of the frame's
    wide = tall * np.exp(rng.normal(-0.05, 0.17, n))
    cos, sin = np.cos(angle), np.sin(angle)
    # The inverse map, image to drawing: rotate back, shear back, then undo the scale.
    matrix = np.stack([cos / tall, -sin / tall, (sin - shear * cos) / wide,
                       (cos + shear * sin) / wide]).astype(np.float32)  # fmt: skip
    shift = rng.normal(0, 0.06, (2, n, 1, 1)).astype(np.float32)
    knots = np.linspace(-1.1, 1.1, KNOTS)
    bumps = np.exp(-0.5 * ((axis[:, None] - knots) / 0.4) ** 2).astype(np.float32)
    force = rng.normal(0, 1, (2, n, KNOTS, KNOTS)) * rng.uniform(0, 0.11, (n, 1, 1))
    bent = bumps @ force.astype(np.float32) @ bumps.T
    dy = axis[:, None] - shift[0]
    dx = axis[None, :] - shift[1]
    yy, yx, xy, xx = (row[:, None, None] for row in matrix)
    y = (yy * dy + yx * dx + bent[0]) * (INK / 2) + (CELL - 1) / 2
    x = (xy * dy + xx * dx + bent[1]) * (INK / 2) + (CELL - 1) / 2
    # Beyond its cell a drawing goes on as the cell's border, which is all background.
    return np.clip(y, 0, CELL - 1.001), np.clip(x, 0, CELL - 1.001)


def _sample(fields: NDArray[np.int8], rows: NDArray[np.int64], y: Floats, x: Floats) -> Floats:
    """Reads ``fields[rows]`` between the pixels, bilinearly, at (n, h, w) coordinates."""
    flat = fields.reshape(-1)
    top, left = y.astype(np.int32), x.astype(np.int32)
    index = top * CELL + left + (rows.astype(np.int32) * (CELL * CELL))[:, None, None]
    y, x = y - top, x - left
    upper = flat[index] * (1 - x) + flat[index + 1] * x
    lower = flat[index + CELL] * (1 - x) + flat[index + (CELL + 1)] * x
    return upper + y * (lower - upper)


def _degrade(ink: Floats, rng: np.random.Generator) -> Floats:
    """Blurs (n, s, s) images or takes them to a low resolution and back, one way for each."""
    ways = _degradations(ink.shape[1])
    choice = rng.integers(len(ways), size=len(ink))
    for way in range(1, len(ways)):
        at = np.flatnonzero(choice == way)
        ink[at] = ways[way] @ ink[at] @ ways[way].T
    return ink


@functools.cache
def _degradations(size: int) -> tuple[Floats, ...]:
    """Matrices (size, size) that blur one axis; the first two leave it as it is.

    The others go down to 8, 8, 8, 10, 12 or 16 pixels by area and back bilinearly, as small scans
    that somebody enlarges, or blur with a Gaussian.
    """
    eye = np.eye(size, dtype=np.float32)
    ways = [eye, eye]
    for low in (8, 8, 8, 10, 12, 16):
        fine = np.repeat(eye, low, axis=1).reshape(size, low, size).mean(2).T  # (low, size)
        centre = np.clip((np.arange(size) + 0.5) * low / size - 0.5, 0, low - 1)
        up = np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(low)))  # a tent: bilinear
        ways.append((up @ fine).astype(np.float32))
    offset = np.arange(size)[:, None] - np.arange(size)
    blur = np.exp(-0.5 * (offset / (size / 32)) ** 2)
    ways.append((blur / blur.sum(1, keepdims=True)).astype(np.float32))
    return tuple(ways)


@functools.cache
def _atlas() -> Atlas:
    """Builds the atlas, once a process: some ten seconds, and some 30 MB held."""
    codes = _letter_codes()
    solids = _letter_drawings([*DIGITS, *LOOK_ALIKES, *map(chr, codes)])
    pens = np.split(
        _pen_fields(_thin(np.concatenate([*solids.values()]))),
        np.cumsum([len(solid) for solid in solids.values()])[:-1],
    )
    drawings = [(name, _outline_fields(solids[name]), pen) for name, pen in zip(solids, pens)]
    digits, alike = len(DIGITS), len(DIGITS + LOOK_ALIKES)
    barred = _looks(np.concatenate([pen for _, _, pen in drawings[:digits]]))
    stand_ins = _looks(np.concatenate([pen for _, _, pen in drawings[digits:alike]]))
    letters = _select(drawings[alike:], ((barred, DIGIT_LIKE), (stand_ins, TWIN_LIKE)), LETTERS)
    scribbles = [("doodle", field[:0], field) for field in _doodle_fields(3 * DOODLES)]
    barred = np.concatenate([barred, stand_ins])
    doodles = _select(scribbles, ((barred, SCRIBBLE_LIKE),), DOODLES)
    names = [f"U+{ord(name):04X}" for name, _, _ in letters]
    names += [f"doodle-{number:03d}" for number in range(len(doodles))]
    chosen = letters + doodles
    fields = np.concatenate([part for _, outline, pen in chosen for part in (outline, pen)])
    pen = np.concatenate([np.arange(len(o) + len(p)) >= len(o) for _, o, p in chosen])
    count = np.array([len(outline) + len(pen) for _, outline, pen in chosen])
    return Atlas(tuple(names), fields, pen, np.cumsum(count) - count, count)


def _select(
    drawings: list[tuple[str, NDArray[np.int8], NDArray[np.int8]]],
    barred: tuple[tuple[Floats, float], ...],
    limit: int,
) -> list[tuple[str, NDArray[np.int8], NDArray[np.int8]]]:
    """Keeps up to ``limit`` classes (name, outlines, pen lines) that differ from each other.

    Args:
        drawings: Candidates, the preferred ones first.
        barred: Looks (m, features) with the cosine up to which a class may come near them.
        limit: Most classes to keep.

    Returns:
        The kept candidates, in their order.
    """
    kept, looks = [], np.empty((0, 256), np.float32)
    for drawing in drawings:
        look = _looks(drawing[2])
        if any((look @ others.T).max() > nearest for others, nearest in barred):
            continue
        if len(looks) and (look[:1] @ looks.T).max() > TWIN_LIKE:
            continue  # a twin, such as Greek Alpha after Latin A, would only blur the labels
        looks = np.concatenate([looks, look[:1]])
        kept.append(drawing)
    stride = max(1.0, len(kept) / limit)  # an even choice takes something from every script
    return [kept[int(i * stride)] for i in range(min(limit, len(kept)))]


def _letter_codes() -> list[int]:
    """Returns the code points of DejaVu Sans that are plain letters and no kind of number.

    Letters that Unicode composes (an accent on a base) are left out, as their differences are too
    small for an image of 32 pixels.
    """
    from matplotlib.ft2font import FT2Font

    codes = []
    for code in sorted(FT2Font(str(_font_path(FONTS[0]))).get_charmap()):
        char = chr(code)
        words = set(unicodedata.name(char, "").replace("-", " ").split())
        plain = unicodedata.category(char) in ("Lu", "Ll", "Lo") and not (
            unicodedata.decomposition(char) or words & {"WITH", "TONE", "MODIFIER", "LIGATURE"}
        )
        number = unicodedata.numeric(char, None) is not None or words & NUMBER_WORDS
        if plain and not number and char not in LOOK_ALIKES:
            codes.append(code)
    return codes


def _font_path(name: str) -> Path:
    """Returns the path of a font file that Matplotlib carries."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


def _letter_drawings(chars: list[str]) -> dict[str, NDArray[np.bool_]]:
    """Draws each character in every font that has it: bool (fonts, CELL, CELL), true on ink."""
    from matplotlib.ft2font import FT2Font
    from PIL import ImageFont

    drawings: dict[str, list[NDArray[np.bool_]]] = {char: [] for char in chars}
    for name in FONTS:
        font = ImageFont.truetype(str(_font_path(name)), 2 * INK)
        # Asking the character map keeps the box that stands for a missing glyph out.
        charmap = FT2Font(str(_font_path(name))).get_charmap()
        for char in chars:
            if ord(char) in charmap and (name[:2] != "cm" or char.isascii()):
                drawing = _fit(font, char)
                if drawing is not None:
                    drawings[char].append(drawing)
    return {char: np.stack(some) for char, some in drawings.items() if some}


def _fit(font: "ImageFont.FreeTypeFont", char: str) -> NDArray[np.bool_] | None:
    """Draws one character, its longer side INK, centred: bool (CELL, CELL); None if blank."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (6 * INK, 6 * INK))
    ImageDraw.Draw(canvas).text((2 * INK, INK), char, fill=255, font=font)
    box = canvas.getbbox()
    if box is None:
        return None
    wide, tall = box[2] - box[0], box[3] - box[1]
    scale = INK / max(wide, tall)
    size = (max(2, round(wide * scale)), max(2, round(tall * scale)))
    small = canvas.crop(box).resize(size, Image.Resampling.BOX)
    cell = Image.new("L", (CELL, CELL))
    cell.paste(small, ((CELL - size[0]) // 2, (CELL - size[1]) // 2))
    return np.asarray(cell) > 100


def _distance(background: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns each true pixel's distance to the nearest false one in its own drawing, in pixels."""
    from scipy.ndimage import distance_transform_edt

    # Drawings lie 1000 pixels apart, so that none finds its nearest pixel in another.
    parts = np.array_split(background, -(-len(background) // CHUNK))
    return np.concatenate([distance_transform_edt(part, (1000, 1, 1)) for part in parts])


def _outline_fields(solid: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Turns ink, bool (n, CELL, CELL), into signed distances to its outline, in 1/STEP pixels."""
    # Distances are to pixel centres; half a pixel less on each side meets in the outline.
    signed = np.where(solid, _distance(solid) - 0.5, 0.5 - _distance(~solid))
    return np.clip(np.rint(signed * STEP), -127, 127).astype(np.int8)


def _pen_fields(line: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Turns thin lines, bool (n, CELL, CELL), into minus the distance to them, in 1/STEP pixels."""
    from scipy.ndimage import gaussian_filter

    # A little smoothing rounds off the stairs that lines of whole pixels have.
    smooth = gaussian_filter(_distance(~line), (0, 0.8, 0.8))
    return np.clip(np.rint(-smooth * STEP), -127, 0).astype(np.int8)


def _thin(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thins ink, bool (n, CELL, CELL), to lines one pixel wide, all drawings at once.

    Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", CACM 27(3), 1984.
    """
    ink = solid.astype(np.int8)
    for part in range(0, len(ink), CHUNK):
        view = ink[part : part + CHUNK]
        changed = True
        while changed:
            changed = False
            for odd in (True, False):
                pad = np.pad(view, ((0, 0), (1, 1), (1, 1)))
                # The eight neighbours, clockwise from the one above.
                ring = [pad[:, 1 + y : 1 + y + CELL, 1 + x : 1 + x + CELL] for y, x in
                        ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))]  # fmt: skip
                total = sum(ring)
                rises = sum((1 - a) * b for a, b in zip(ring, ring[1:] + ring[:1]))
                n, e, s, w = ring[0], ring[2], ring[4], ring[6]
                corner = n * e * s + e * s * w if odd else n * e * w + n * s * w
                gone = (view == 1) & (total >= 2) & (total <= 6) & (rises == 1) & (corner == 0)
                view[gone] = 0
                changed |= bool(gone.any())
    return ink.astype(bool)


def _looks(pen: NDArray[np.int8]) -> Floats:
    """Describes pen lines (n, CELL, CELL) by unit vectors whose products compare their shapes.

    Thick soft lines on a grid of 16 x 16, without their mean: lines that run close to each other
    match, whatever their font.
    """
    ink = np.exp(-0.5 * (pen.astype(np.float32) / (STEP * 2.5)) ** 2)
    small = ink.reshape(len(pen), 16, CELL // 16, 16, CELL // 16).mean((2, 4)).reshape(len(pen), -1)
    small -= small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


def _doodle_fields(count: int) -> list[NDArray[np.int8]]:
    """Draws ``count`` scribbles, each several times by an unsteady hand, as pen fields.

    A scribble is one or two Catmull-Rom splines through three to five random points each.
    """
    rng = np.random.default_rng(7)
    time = np.linspace(0, 1, 40)[:, None]
    basis = np.concatenate([time**0, time, time**2, time**3], 1) @ np.array(
        [[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2  # fmt: skip
    lines = np.zeros((count * DOODLE_VARIANTS, CELL, CELL), bool)
    for doodle in range(count):
        strokes = [rng.uniform(0, 1, (rng.integers(3, 6), 2)) for _ in range(rng.integers(1, 3))]
        for variant in range(DOODLE_VARIANTS):
            shaken = [stroke + rng.normal(0, 0.05, stroke.shape) for stroke in strokes]
            ends = [np.concatenate([s[:1], s, s[-1:]]) for s in shaken]
            dots = np.concatenate([basis @ e[i : i + 4] for e in ends for i in range(len(e) - 3)])
            dots -= (dots.max(0) + dots.min(0)) / 2
            dots *= (INK - 1) / np.ptp(dots, axis=0).max()
            y, x = np.rint(dots + (CELL - 1) / 2).astype(int).T
            lines[doodle * DOODLE_VARIANTS + variant, y, x] = True
    return np.split(_pen_fields(lines), count)
