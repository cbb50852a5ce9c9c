"""A planted fault in a folder of pictures has one finding, clean pictures have none."""

import shutil

import numpy as np
import pytest
from PIL import Image

import kerasft
from tests.checks.conftest import picture


def test_clean_pictures_have_no_findings(pets, check_images):
    assert check_images(pets) == {}


def resaved(source, target):
    """Saves a picture again: a lossy format, three quarters of the size."""
    with Image.open(source) as image:
        image.resize((72, 72)).save(target, quality=80)


def leak(root):
    shutil.copy(root / "train/cat/1.png", root / "test/cat/1.png")


def near_leak(root):
    resaved(root / "train/cat/1.png", root / "test/cat/new.jpg")


def near_conflict(root):
    resaved(root / "train/cat/1.png", root / "train/dog/new.jpg")


def conflict(root):
    shutil.copy(root / "train/cat/1.png", root / "train/dog/1.png")


def repeated(root):
    shutil.copy(root / "train/cat/1.png", root / "train/cat/again.png")


def near_repeated(root):
    resaved(root / "train/cat/1.png", root / "train/cat/new.jpg")


def tiny(root):
    picture(99, size=12).save(root / "train/cat/tiny.png")


def animated(root):
    frames = [picture(n) for n in (100, 101)]
    frames[0].save(root / "train/cat/clip.gif", save_all=True, append_images=frames[1:])


def misnamed(root):
    picture(102).save(root / "train/cat/photo.jpg", "PNG")


def long(root):
    picture(103, size=200).crop((0, 0, 200, 40)).save(root / "train/cat/strip.png")


def blank(root):
    Image.new("RGB", (96, 96), (200, 30, 30)).save(root / "train/cat/blank.png")
    Image.new("RGB", (96, 96), (30, 30, 30)).save(root / "train/dog/blank.png")


def missing_class(root):
    shutil.rmtree(root / "test/dog")


@pytest.mark.parametrize(
    ("plant", "name", "level", "word"),
    [
        (leak, "duplicates", "warning", "test/cat/1.png = train/cat/1.png"),
        (near_leak, "near_duplicates_in_splits", "warning", "test/cat/new.jpg ~ train/cat/1.png"),
        (near_conflict, "near_conflicts", "warning", "train/cat/1.png (cat) and train/dog/new.jpg"),
        (conflict, "conflicting_labels", "warning", "train/cat/1.png (cat) and train/dog/1.png"),
        (repeated, "repeated", "note", "train/cat/again.png = train/cat/1.png"),
        (near_repeated, "near_duplicates", "note", "train/cat/new.jpg ~ train/cat/1.png"),
        (tiny, "tiny_images", "warning", "1 image is less than 16 pixels"),
        (animated, "animated_images", "warning", "only the first frame"),
        (misnamed, "wrong_extensions", "note", "PNG named .jpg"),
        (long, "long_images", "warning", "resize=crop"),
        (blank, "blank_images", "warning", "2 images are blank"),
        (missing_class, "missing_classes", "warning", "'dog'"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_fault_has_its_finding(pets, check_images, plant, name, level, word):
    plant(pets)
    found = check_images(pets)
    assert set(found) == {name}
    finding = found[name]
    assert finding.level == level
    assert word in finding.text
    assert finding.advice or finding.changes


def test_the_faults_of_most_pictures_are_those_of_the_dataset(tmp_path, check_images):
    for index, name in enumerate(("cat", "dog")):
        (tmp_path / "icons" / name).mkdir(parents=True)
        for count in range(12):
            picture([index, count], size=14).save(tmp_path / "icons" / name / f"{count}.png")
    assert set(check_images(tmp_path / "icons")) == {"split_off"}
    config = kerasft.ImageConfig(dataset=str(tmp_path / "icons"), image_size=224)
    (small,) = (x for x in kerasft.load_data(config).findings if x.name == "small_images")
    assert (small.level, small.changes) == ("note", {"image_size": 32})


def test_a_split_that_is_mostly_in_another_is_an_error(pets, check_images):
    for count in range(5):
        for name in ("cat", "dog"):
            shutil.copy(pets / f"train/{name}/{count}.png", pets / f"test/{name}/{count}.png")
    finding = check_images(pets)["duplicates"]
    assert (finding.level, finding.count) == ("error", 10)


def test_handwritten_digits_of_one_class_do_not_look_alike():
    data = kerasft.load_data(kerasft.ImageConfig(dataset="builtin:digits", image_size=32))
    assert [finding.name for finding in data.findings] == ["split_off"]


def test_pictures_that_differ_in_color_alone_do_not_look_alike(tmp_path, check_images):
    for name, channel in (("red", 0), ("blue", 2)):
        (tmp_path / "colors" / name).mkdir(parents=True)
        for count in range(8):
            pixels = np.zeros((48, 48, 3), np.uint8)
            pixels[..., channel] = np.asarray(picture(count, size=48).convert("L"))
            Image.fromarray(pixels).save(tmp_path / "colors" / name / f"{count}.png")
    assert set(check_images(tmp_path / "colors")) == {"split_off"}
