"""The graph of a served model decodes files as Python does, before they are resized."""

import io
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from kerasft.modalities.graph_decoding import decode_in_graph
from kerasft.modalities.image_decoding import decode_image, encoded_image

RNG = np.random.default_rng(0)
SMOOTH = Image.fromarray(RNG.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((61, 47))
ALPHA = Image.fromarray(RNG.integers(0, 256, (47, 61), dtype=np.uint8))


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def with_alpha():
    image = SMOOTH.copy()
    image.putalpha(ALPHA)
    return image


def deep(channels):
    """A PNG of 16 bits; Pillow writes only gray ones."""
    values = RNG.integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    return tf.io.encode_png(tf.constant(values)).numpy()


def files():
    """Files of every kind by name."""
    gray, palette, alpha = SMOOTH.convert("L"), SMOOTH.quantize(40), with_alpha()
    turned = [SMOOTH.rotate(90)]
    parts = bytes(range(40))
    return {
        "jpeg": encode(SMOOTH, "JPEG", quality=90),
        "jpeg 4:2:0": encode(SMOOTH, "JPEG", quality=60, subsampling=2),
        "jpeg 4:2:2": encode(SMOOTH, "JPEG", subsampling=1),
        "jpeg progressive": encode(SMOOTH, "JPEG", progressive=True),
        "jpeg gray": encode(gray, "JPEG"),
        "jpeg cmyk": encode(SMOOTH.convert("CMYK"), "JPEG"),
        "png": encode(SMOOTH, "PNG"),
        "png gray": encode(gray, "PNG"),
        "png black and white": encode(SMOOTH.convert("1"), "PNG"),
        "png alpha": encode(alpha, "PNG"),
        "png gray alpha": encode(alpha.convert("LA"), "PNG"),
        "png palette": encode(palette, "PNG"),
        "png palette 4 bits": encode(SMOOTH.quantize(9), "PNG", bits=4),
        "png palette transparent": encode(palette, "PNG", transparency=3),
        "png palette alpha": encode(palette, "PNG", transparency=parts),
        "png gray transparent": encode(gray, "PNG", transparency=9),
        "png animated": encode(SMOOTH, "PNG", save_all=True, append_images=turned),
        **{f"png 16 bits {channels}": deep(channels) for channels in (1, 2, 3, 4)},
        "gif": encode(palette, "GIF"),
        "gif gray": encode(gray, "GIF"),
        "gif transparent": encode(palette, "GIF", transparency=5),
        "gif comment": encode(palette, "GIF", transparency=5, comment=b"h" * 700),
        "gif animated": encode(
            palette, "GIF", transparency=5, loop=0, save_all=True,
            append_images=[turned[0].quantize(9)],
        ),
        "bmp": encode(SMOOTH, "BMP"),
        "bmp alpha": encode(alpha, "BMP"),
        "bmp gray": encode(gray, "BMP"),
        "bmp palette": encode(palette, "BMP"),
        "webp": encode(SMOOTH, "WEBP", quality=70),
        "webp lossless": encode(SMOOTH, "WEBP", lossless=True),
        "webp alpha": encode(alpha, "WEBP"),
        "webp lossless alpha": encode(alpha, "WEBP", lossless=True),
        "webp animated": encode(SMOOTH, "WEBP", save_all=True, append_images=turned),
        "webp animated alpha": encode(alpha, "WEBP", save_all=True, append_images=turned),
    }  # fmt: skip


FILES = files()


@pytest.fixture(scope="module")
def decode():
    graph = tf.function(
        decode_in_graph, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
    )
    return lambda content: graph(tf.constant(content)).numpy()


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_of_every_kind_have_the_pixels_of_python(decode, name):
    expected, found = decode_image(FILES[name], name), decode(FILES[name])
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert expected.std() > 20  # it is a picture


def exif(orientation, order):
    found = Image.Exif()
    found.endian = order
    found[0x010F] = "Maker"  # entries before and after
    found[0x0112] = orientation
    found[0x8769] = {0x829A: 0.5}
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_of_exif_is_applied(decode, kind, order):
    shapes = set()
    for orientation in range(10):  # 0 and 9 mean nothing
        content = encode(SMOOTH, kind, exif=exif(orientation, order))
        found, expected = decode(content), decode_image(content, "x")
        assert (found == expected).all(), orientation
        shapes.add(found.shape)
    assert len(shapes) == 2


def test_the_orientation_is_found_behind_other_segments(decode):
    options = {"comment": b"hello" * 100, "icc_profile": b"x" * 70_000}
    content = encode(SMOOTH, "JPEG", exif=exif(6, "<"), **options)
    assert (decode(content) == decode_image(content, "x")).all()
    assert decode(content).shape == (61, 47, 3)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_damaged_exif_leaves_an_image_as_it_is(decode, kind):
    whole = encode(SMOOTH, kind, exif=exif(6, ">"))
    start = whole.index(b"MM\0*")
    for changed in (b"XX\0*", b"MM\0*\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\0"):
        content = whole[:start] + changed + whole[start + len(changed) :]
        assert decode(content).shape == (47, 61, 3)


@pytest.mark.parametrize(
    "name", ["bmp palette", "gif", "jpeg", "png", "webp", "webp animated alpha"]
)
@pytest.mark.parametrize("kept", [0.66, 20, 3])
def test_a_truncated_file_is_refused(decode, name, kept):
    whole = FILES[name]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"RIFF\0\0\0\0WEBP", encode(SMOOTH, "TIFF")], ids=repr
)
def test_what_the_graph_does_not_read_is_refused(decode, content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(content)


def test_endless_parts_of_a_file_do_not_occupy_a_server(decode):
    content = b"\xff\xd8" + b"\xff" * 5_000_000
    begun = time.perf_counter()
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(content)
    assert time.perf_counter() - begun < 3  # milliseconds, on a machine at rest


def oriented_png(place):
    """A PNG whose orientation is not in its EXIF chunk."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    text = PngInfo()
    if place == "xmp":
        text.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta tiff:Orientation="6"/>')
    else:
        content = exif.tobytes()
        text.add_text("Raw profile type exif", f"\nexif\n{len(content):8}\n{content.hex()}\n")
    return encode(SMOOTH, "PNG", pnginfo=text)


OTHERS = {
    "bmp 1 bit": lambda: encode(SMOOTH.convert("1"), "BMP"),
    "png oriented by xmp": lambda: oriented_png("xmp"),
    "png oriented by a text": lambda: oriented_png("text"),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_file_that_the_graph_does_not_read_is_converted(name):
    content = OTHERS[name]()
    expected = decode_image(content, "a")
    sent = encoded_image(content, "a")
    assert sent.startswith(b"\x89PNG") and sent != content
    np.testing.assert_array_equal(decode_image(sent, "a"), expected)


def test_other_files_are_sent_as_they_are():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upright = PngInfo()
    upright.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta tiff:Orientation="1"/>')
    for content in (
        encode(SMOOTH, "JPEG", exif=exif),
        encode(SMOOTH, "BMP"),
        encode(SMOOTH.quantize(40), "BMP"),
        encode(SMOOTH, "PNG", pnginfo=upright),
    ):
        assert encoded_image(content, "a") == content
