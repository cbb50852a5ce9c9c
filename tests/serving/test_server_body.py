"""Limits of a request: its JSON, and the images in it."""

import struct

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from kerasft.serving.server.body import parse_object
from kerasft.serving.server.images import check_images


@pytest.mark.parametrize("text", [b'{"a": [{"b": 1}]}', b'{"a": {"b": [1]}, "c": []}'])
def test_what_is_nested_deeper_than_the_limit_is_refused(text):
    assert parse_object(text, 3)["a"]
    with pytest.raises(HTTPException, match="nested deeper than 2"):
        parse_object(text, 2)


def test_brackets_in_a_text_are_not_nested():
    assert parse_object(b'{"a": "[[[[{{{{"}', 1) == {"a": "[[[[{{{{"}


def header(width, height):
    """Returns the header of a BMP."""
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + sizes


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("bytes", header(30, 20), 600),
        ("image_bytes", header(30, 20), 600),
        ("text", header(30, 20), 0),
        ("bytes", b"RIFF\0\0\0\0WAVEfmt ", 0),
        ("bytes", b"BMW is no image", 0),
        ("bytes", b"", 0),
    ],
)
def test_images_are_counted_in_binary_inputs(name, content, found):
    files = np.array([content, content], object)
    assert check_images({name: files}, 1000) == 2 * found
    damaged = content.startswith(b"BMW")
    assert files.tolist() == [b"no image" if damaged else content] * 2


def test_an_image_of_too_many_pixels_is_refused():
    with pytest.raises(HTTPException, match="Image 1 has more than 1,000 pixels"):
        check_images({"image_bytes": np.array([b"", header(30, 40)], object)}, 1000)
