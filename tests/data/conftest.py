"""Makers of small real files."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_images():
    """Returns a function that writes different pictures: (folder, names)."""

    def make(folder, names, seed=0, size=(12, 10)):
        folder.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(names):
            rng = np.random.default_rng([seed, index, *map(ord, folder.name)])
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
        return folder

    return make


@pytest.fixture
def pets(tmp_path, make_images):
    """A folder of two classes, 10 pictures each."""
    for name in ("cat", "dog"):
        make_images(tmp_path / "pets" / name, [f"{i}.png" for i in range(10)])
    return tmp_path / "pets"


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes a text file: (name, text)."""

    def write_file(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding=encoding, newline="")
        return str(path)

    return write_file
