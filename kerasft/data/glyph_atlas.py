"""Letters of many scripts, without digits, drawn once from fonts: the atlas of `glyphs`.

The letters come from the font files of Matplotlib (DejaVu, STIX, Computer Modern).

A drawing is stored as a signed distance field (after Green, "Improved Alpha-Tested Magnification
for Vector Textures and Special Effects", SIGGRAPH 2007). An offset then sets the thickness of a
stroke, a slope its sharpness, without morphology for each image. Each letter has its outline in
every font, and a pen drawing: a line of constant width along its skeleton.

No class is a digit. A character is excluded if Unicode assigns it a numeric value or its name
contains a number word. So are common look-alikes of an ASCII digit (``LOOK_ALIKES``), and all
that nearly match a digit in any font. Digits are drawn only for that comparison, never as images.
Letters that merely share strokes with digits (P, h, y, Cyrillic Ya) remain.
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
CHUNK = 256  # drawings processed at once, so that their arrays fit into the CPU cache


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


@functools.cache
def make_atlas() -> Atlas:
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
