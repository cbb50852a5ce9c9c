"""Tables in memory: DataFrames, and columns of texts, images and arrays."""

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasft import Dataset
from kerasft.config import ImageConfig, TextConfig, from_dict, to_dict
from kerasft.data import load_data, prepare_inputs, read_dataset, read_inputs
from kerasft.data.columns import LABEL_NAMES
from kerasft.errors import DataError, SettingError

TEXTS = ["good film", "bad film", "great film", "awful film"]
KINDS = ["good", "bad", "good", "bad"]


def pixels(count=4, size=8):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_equal_tables_are_equal_datasets_and_json():
    frame = pd.DataFrame({"text": TEXTS, "label": KINDS})
    dataset = Dataset(frame, validation_fraction=0.25)
    assert dataset == Dataset(frame.copy(), validation_fraction=0.25)
    assert dataset == Dataset({"text": TEXTS, "label": KINDS}, validation_fraction=0.25)
    assert dataset != Dataset(frame.assign(label=KINDS[::-1]), validation_fraction=0.25)
    config = TextConfig(dataset=frame)
    assert from_dict(TextConfig, json.loads(json.dumps(to_dict(config)))) == config
    assert dataclasses.replace(TextConfig(), dataset=frame) == config


def test_a_frame_is_read_like_a_file_of_it(tmp_path):
    frame = pd.DataFrame({"text": TEXTS, "stars": [1, 2, 3, None], "split": ["train", "dev"] * 2})
    frame.to_parquet(tmp_path / "a.parquet")
    kept, stored = (
        read_dataset(TextConfig(dataset=source, label_column="split"))
        for source in (frame, tmp_path / "a.parquet")
    )
    assert set(kept) == {"train", "validation"} == set(stored)
    for split, part in kept.items():
        assert (part.inputs, part.labels) == (stored[split].inputs, stored[split].labels)
    with pytest.raises(DataError, match=r"Row 4 of memory:.* has no label in column 'stars'"):
        read_dataset(TextConfig(dataset=frame, label_column="stars", task="regression"))


@pytest.mark.parametrize("label", ["label", "price"])
def test_whole_numbers_are_labels_as_in_a_file(label):
    values = np.array([0, 1, 0, 1])
    part = read_dataset(TextConfig(dataset={"text": TEXTS, label: values}))["train"]
    assert label in LABEL_NAMES and part.labels == ["0", "1", "0", "1"]


@pytest.mark.parametrize("name", ["image", "anything"])
def test_images_of_pillow_arrays_files_and_bytes_are_one(tmp_path, name):
    arrays = pixels()
    pictures = [Image.fromarray(array) for array in arrays]
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    prepared = []
    for images in (arrays, list(arrays), pictures, paths, [path.read_bytes() for path in paths]):
        column = "image" if isinstance(images[0], bytes) else name  # bytes can be anything
        config = ImageConfig(dataset={column: images, "label": KINDS}, image_size=8)
        prepared.append(prepare_inputs(config, read_dataset(config)["train"]))
    assert all(np.array_equal(x, arrays) for x in prepared)


def test_the_splits_follow_the_content():
    images = [Image.fromarray(array) for array in pixels(24)]
    config = ImageConfig(dataset={"image": images, "label": KINDS * 6}, image_size=8)
    data = load_data(config)
    assert len(data.train) + len(data.validation) + len(data.test) == 24
    again = load_data(ImageConfig(dataset={"image": images, "label": KINDS * 6}, image_size=8))
    assert data.fingerprint == again.fingerprint
    turned = [image.rotate(90) for image in images]
    other = load_data(ImageConfig(dataset={"image": turned, "label": KINDS * 6}, image_size=8))
    assert data.fingerprint != other.fingerprint


def test_the_orientation_of_a_photograph_belongs_to_it(tmp_path):
    picture = Image.fromarray(pixels(1)[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    picture.save(tmp_path / "side.png", exif=exif)
    picture.save(tmp_path / "upright.png")
    opened = [Image.open(tmp_path / f"{name}.png") for name in ("side", "upright")]
    side, upright = (Dataset({"image": [image], "label": ["a"]}) for image in opened)
    assert side != upright
    found = read_inputs(ImageConfig(image_size=8), opened)
    x = prepare_inputs(ImageConfig(image_size=8), found)
    assert np.array_equal(x[0], np.rot90(x[1], -1))
    for image in opened:
        image.close()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"text": ["a", "b"], "label": ["c"]}, "same length. Received: text 2, label 1"),
        ({"text": [], "label": []}, "has no rows"),
        ({}, "has no rows"),
        ({"text": "a"}, "column 'text' of a table in memory must be a list .* Received: str"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "several columns of one name"),
    ],
)
def test_a_table_without_rows_or_columns_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        Dataset(source)


@pytest.mark.parametrize("source", [["a", "b"], (TEXTS, KINDS), pixels()])
def test_values_without_columns_are_refused_with_the_way_to_name_them(source):
    with pytest.raises(SettingError, match=r"Name the columns: \{'image': images"):
        TextConfig(dataset=source)


def test_floats_are_no_pixels():
    config = ImageConfig(dataset={"image": pixels() / 255, "label": KINDS}, image_size=8)
    with pytest.raises(DataError, match=r"float64 array .* must be uint8 .*astype\('uint8'\)"):
        prepare_inputs(config, read_dataset(config)["train"])


def test_a_table_of_another_process_is_asked_for_again():
    name = "memory:0123456789abcdef"
    with pytest.raises(DataError, match=f"{name} was given in memory, .* Pass the same table"):
        read_dataset(TextConfig(dataset=name))


def test_pandas_is_not_imported_for_a_mapping():
    code = (
        "import sys, kerasft\n"
        "kerasft.Dataset({'text': ['a', 'b'], 'label': [1, 2]})\n"
        "sys.exit('pandas' in sys.modules or 'numpy' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_what_predict_is_given():
    images = pixels()
    config = ImageConfig(image_size=8)
    picture = Image.fromarray(images[1])
    several = read_inputs(config, [images[0], picture])
    assert several.origins == ["Input 1", "Input 2"]
    assert np.array_equal(prepare_inputs(config, several), images[:2])
    for one in (images[0], picture, images[0][..., 0]):
        assert len(read_inputs(config, one)) == 1
    assert len(read_inputs(config, images)) == 4
    assert len(read_inputs(config, images[..., 0])) == 4  # gray
    frame = pd.DataFrame({"image": list(images)}, index=[7, 8, 9, 10])
    assert np.array_equal(prepare_inputs(config, read_inputs(config, frame)), images)
    with pytest.raises(DataError, match=r"Input 2 must be a path, .* Received: float"):
        read_inputs(config, [images[0], 0.5])


def test_texts_that_predict_is_given():
    frame = pd.DataFrame({"text": TEXTS})
    for inputs in (TEXTS, tuple(TEXTS), frame, frame["text"], np.array(TEXTS)):
        assert read_inputs(TextConfig(), inputs).inputs == TEXTS
    assert read_inputs(TextConfig(), "one text").inputs == ["one text"]
    assert read_inputs(TextConfig(), io.StringIO("a\nb\n")).inputs == ["a", "b"]
    with pytest.raises(DataError, match="Line 2 of the open file is empty"):
        read_inputs(TextConfig(), io.StringIO("a\n\nb\n"))
    pairs = read_inputs(TextConfig(), [("is it?", "it is")], pairs=True)
    assert pairs.inputs == [("is it?", "it is")]
    with pytest.raises(DataError, match=r"Input 1 must be a text. Received: \('is it"):
        read_inputs(TextConfig(), [("is it?", "it is")])
    with pytest.raises(DataError, match="reads pairs of texts, but the table has one text"):
        read_inputs(TextConfig(), frame, pairs=True)
