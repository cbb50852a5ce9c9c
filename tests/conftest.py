"""Tiny real presets and datasets, made once a test session and loaded through the real path."""

import csv
import os
import resource
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several on the cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest
from PIL import Image

from kerasft.testing import FAMILIES, tiny_preset

TEXTS = {
    "good": [
        "good film",
        "a great movie",
        "the movie is good",
        "great and good",
        "my good old film",
    ],
    "bad": ["bad film", "awful movie", "the movie is bad", "awful and bad", "my bad old film"],
}


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """Returns a function from the name of a family to the folder of its tiny preset."""
    made = {}

    def get(family: str) -> str:
        if family not in made:
            made[family] = tiny_preset(family, tmp_path_factory.mktemp("presets") / family)
        return made[family]

    return get


@pytest.fixture(params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of three classes that differ in color, 12 pictures each."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index, name in enumerate(("blue", "green", "red")):
        (root / name).mkdir()
        for count in range(12):
            pixels = rng.integers(0, 90, (24, 24, 3), dtype=np.uint8)
            pixels[..., 2 - index] += 150
            Image.fromarray(pixels).save(root / name / f"{count}.png")
    return str(root)


@pytest.fixture(scope="session")
def prices(tmp_path_factory):
    """A table of pictures with a number: 1000 plus 100 times their brightness."""
    root = tmp_path_factory.mktemp("prices")
    rng = np.random.default_rng(1)
    rows = []
    for count in range(48):
        level = int(rng.integers(0, 200))
        pixels = rng.integers(level, level + 50, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{count}.png")
        rows.append({"image": f"{count}.png", "price": 1000 + 100 * level})
    return write_table(root / "prices.csv", rows)


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    """A table of short texts in two classes."""
    ends = ["", " .", " !", " to me", " of it", " in red", " in blue", " and cat"]
    rows = [
        {"text": text + end, "label": label}
        for label, texts in TEXTS.items()
        for text in texts
        for end in ends
    ]
    return write_table(tmp_path_factory.mktemp("reviews") / "reviews.csv", rows)


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def file_size_limit():
    """Returns a function after which no file can grow beyond so many bytes, or with None again.

    Stands for a full disk: the operating system refuses the write in the same way.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)
