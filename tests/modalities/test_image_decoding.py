"""Every kind of image becomes RGB of one size."""

import io
import re

import keras
import numpy as np
import pytest
from PIL import Image

from kerasft.config import ImageConfig
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import DataError
from kerasft.modalities.image_decoding import (
    decode_image,
    image_extensions,
    prepare_images,
    resize_image,
)

RED = (200, 30, 10)


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decode(image, kind="PNG", **options):
    return decode_image(encode(image, kind, **options), "x")


def test_gray_becomes_rgb():
    assert decode(Image.new("L", (4, 3), 77)).tolist() == np.full((3, 4, 3), 77).tolist()


def test_one_bit_becomes_black_and_white():
    assert (decode(Image.new("1", (4, 3), 1)) == 255).all()


def test_palette_becomes_its_colors():
    assert (decode(Image.new("RGB", (4, 3), RED).quantize(4)) == RED).all()


@pytest.mark.parametrize("transparency", [0, bytes([0, 128, 255, 255])])
def test_transparent_palette_keeps_its_colors(transparency):
    palette = Image.new("P", (4, 3), 1)
    palette.putpalette([0, 0, 0, *RED, 0, 0, 0, 0, 0, 0])
    assert (decode(palette, transparency=transparency) == RED).all()


@pytest.mark.parametrize(("mode", "color"), [("RGBA", (*RED, 0)), ("LA", (90, 0))])
def test_alpha_is_dropped(mode, color):
    assert (decode(Image.new(mode, (4, 3), color)) == color[:-1]).all()


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (4, 3), (0, 255, 255, 0))
    assert decode(image, "TIFF")[0, 0].tolist() == [255, 0, 0]
    assert abs(decode(image, "JPEG")[0, 0].astype(int) - [255, 0, 0]).max() < 10


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_of_16_bits_the_top_byte_stays(kind):
    values = np.array([[0x1234, 0xFFFF, 0x00FF]], np.uint16)
    assert decode(Image.fromarray(values), kind)[0, :, 0].tolist() == [0x12, 0xFF, 0]


def test_32_bit_and_float_images_are_scaled():
    integers = Image.fromarray(np.array([[0, 2**30]], np.int32))
    assert decode(integers, "TIFF")[0, :, 0].tolist() == [0, 64]
    unit = Image.fromarray(np.array([[0, 0.5, 1, np.nan]], np.float32))
    assert decode(unit, "TIFF")[0, :, 0].tolist() == [0, 128, 255, 0]
    bytes_ = Image.fromarray(np.array([[0, 7, 255]], np.float32))
    assert decode(bytes_, "TIFF")[0, :, 0].tolist() == [0, 7, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_stays(kind):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255))]
    decoded = decode(frames[0], kind, save_all=True, append_images=frames[1:], duration=9)
    assert abs(decoded.astype(int) - RED).max() < 12


def test_exif_orientation_is_applied():
    image = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = decode(image, exif=exif)
    assert turned.shape == (6, 4, 3)
    assert (turned[..., 0] == np.rot90(np.asarray(image), -1)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "TGA", "ICO"])
def test_usual_formats_are_read(tmp_path, kind):
    extension = next(e for e, name in Image.registered_extensions().items() if name == kind)
    assert extension in image_extensions()
    path = tmp_path / f"image{extension}"
    Image.new("RGB", (16, 16), RED).save(path)
    assert abs(decode_image(path, "x").astype(int) - RED).max() < 16


def test_what_is_no_picture_has_no_image_extension():
    assert not {".pdf", ".h5", ".mpg", ".txt", ".csv"} & image_extensions()


@pytest.mark.parametrize("array", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_arrays_become_rgb(array):
    assert decode_image(np.full(array, 9, np.uint8), "x").tolist() == np.full((5, 4, 3), 9).tolist()


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 5), np.uint8)])
def test_an_array_of_another_kind_is_refused(array):
    with pytest.raises(DataError, match=r"example 3 is a .* array .* must be uint8"):
        decode_image(array, "example 3")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("origin", "row"), [("broken.img", ""), ("row 3 of a.csv", " (row 3 of a.csv)")]
)
def test_a_truncated_image_is_named(tmp_path, monkeypatch, kind, origin, row):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "broken.img"
    path.write_bytes(encode(Image.fromarray(noise), kind)[:2000])
    monkeypatch.chdir(tmp_path.parent)
    name = re.escape(f"{tmp_path.name}/broken.img{row}")
    with pytest.raises(DataError, match=f"^{name} cannot be decoded .*Replace it"):
        prepare_inputs(ImageConfig(), Examples([path], None, [origin]))


def test_a_file_that_is_no_image_is_named():
    with pytest.raises(DataError, match=r"cat/1\.jpg is not an image .*Replace it"):
        decode_image(b"hello", "cat/1.jpg")


def test_too_many_pixels_are_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match=r"big\.png has too many pixels"):
        decode_image(encode(Image.new("L", (10, 10))), "big.png")


@pytest.mark.parametrize("how", ["crop", "stretch", "pad"])
def test_resizing_in_a_graph_is_that_of_preparation(how):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    graph = tf.function(
        lambda image: resize_image(image, 16, how),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
    )
    for shape in ((30, 21, 3), (8, 50, 3), (16, 16, 3), (1, 40, 3)):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        x = prepare_inputs(ImageConfig(image_size=16, resize=how), Examples([image], None, ["x"]))
        assert (graph(image).numpy() == x[0]).all()
        assert (keras.ops.convert_to_numpy(resize_image(image, 16, how)) == x[0]).all()


def test_crop_takes_the_middle_and_pad_adds_black():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 10:30] = 200
    cropped = np.asarray(resize_image(image, 20, "crop"))
    assert (cropped == 200).all()
    padded = np.asarray(resize_image(image, 40, "pad"))
    assert (padded[:10] == 0).all()
    assert (padded[10:30, 10:30] == 200).all()


def test_an_image_of_the_right_size_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    x = prepare_inputs(ImageConfig(image_size=16), Examples([image], None, ["x"]))
    assert (x[0] == image).all()


def test_images_keep_their_order_through_the_threads():
    images = [np.full((9 + i % 7, 12, 3), i, np.uint8) for i in range(64)]
    x = prepare_inputs(
        ImageConfig(image_size=8), Examples(images, None, [str(i) for i in range(64)])
    )
    assert x.dtype == np.uint8
    assert x[:, 4, 4, 0].tolist() == list(range(64))


def test_all_images_that_cannot_be_decoded_are_listed(tmp_path):
    names = [f"{number}.png" for number in range(3)]
    for name in names:
        (tmp_path / name).write_bytes(b"\x89PNG bad")
    Image.new("RGB", (4, 4)).save(tmp_path / "good.png")
    examples = Examples([tmp_path / name for name in (*names, "good.png")], None, [*names, "good"])
    with pytest.raises(DataError, match=r"^3 examples cannot be used:") as caught:
        prepare_images(ImageConfig(image_size=8), examples)
    assert all(name in str(caught.value) for name in names)


def test_a_very_large_image_is_thinned_before_it_is_resized():
    large = np.zeros((5200, 5000, 3), np.uint8)
    large[1::2] = 255  # the rows that are not read
    small = np.full((4, 4, 3), 255, np.uint8)
    assert not keras.ops.convert_to_numpy(resize_image(large, 8, "stretch")).any()
    assert keras.ops.convert_to_numpy(resize_image(small, 8, "stretch")).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_very_large_file_is_thinned_as_the_graph_does(mode):
    pixels = np.zeros((5200, 5001), np.uint8)
    pixels[::2, ::2] = 200
    image = Image.fromarray(pixels).convert(mode)
    decoded = decode_image(image, "large.png")
    assert decoded.shape == (2600, 2501, 3)
    assert (decoded == 200).all()
