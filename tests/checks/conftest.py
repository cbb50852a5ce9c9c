"""Clean data of distinct pictures and texts, into which a test plants one fault."""

import numpy as np
import pytest
from PIL import Image

import kerasft
from tests.conftest import write_table

CLASSES = ("cat", "dog")
EACH = 8  # of a class


def picture(seed, size=96):
    """Returns a smooth random picture: different seeds never look alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def pets(tmp_path):
    """A folder of train, validation and test folders with distinct pictures in two classes."""
    root = tmp_path / "pets"
    for part, split in enumerate(("train", "validation", "test")):
        for index, name in enumerate(CLASSES):
            (root / split / name).mkdir(parents=True)
            for count in range(EACH):
                path = root / split / name / f"{count}.png"
                picture([part, index, count]).save(path)
    return root


@pytest.fixture
def check_images():
    """Returns a function from a folder to the findings by their name, without two usual notes."""

    def check(root, **settings):
        config = kerasft.ImageConfig(dataset=str(root), image_size=32, **settings)
        return by_name(kerasft.load_data(config))

    return check


@pytest.fixture
def check_rows(preset, tmp_path):
    """Returns a function from (text, label, split) rows to the findings by their name."""

    def check(rows, **settings):
        names = ("text", "label", "split")
        table = write_table(
            tmp_path / "rows.csv", [dict(zip(names, row, strict=True)) for row in rows]
        )
        settings = {"preset": preset("bert"), "trainable_blocks": 1, **settings}
        config = kerasft.TextConfig(dataset=table, **settings)
        return by_name(kerasft.load_data(config))

    return check


def by_name(data):
    assert [x.text for x in data.findings if x.text not in data.notes] == []
    found = {finding.name: finding for finding in data.findings}
    found.pop("small_test", None)
    found.pop("as_read", None)
    return found


def texts(count=16):
    """Returns rows of distinct texts in two classes and three splits."""
    return [
        (f"{split} message number {n} about {label}", label, split)
        for split in ("train", "validation", "test")
        for n in range(count // 2)
        for label in CLASSES
    ]
