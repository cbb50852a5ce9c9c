"""What predict is given."""

import re

import numpy as np
import pytest

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import prepare_inputs, read_inputs, read_rows
from kerasft.errors import DataError
from kerasft.modalities import TEXTS


def test_images_folders_and_tables(tmp_path, make_images, write):
    make_images(tmp_path / "a", ["2.png", "1.png", ".hidden.png"])
    make_images(tmp_path / "a" / "below", ["3.png"])
    table = write("t.csv", "image\na/1.png\na/2.png\n")
    single = str(tmp_path / "a" / "2.png")
    found = read_inputs(ImageConfig(image_size=8), [single, str(tmp_path / "a"), table])
    assert found.labels is None
    names = [origin.removeprefix(f"{tmp_path}/") for origin in found.origins]
    assert names[:4] == ["a/2.png", "a/1.png", "a/2.png", "a/below/3.png"]
    assert names[4:] == ["row 1 of t.csv", "row 2 of t.csv"]
    assert prepare_inputs(ImageConfig(image_size=8), found).shape == (6, 8, 8, 3)


@pytest.mark.parametrize("folder", ["", "empty"])
def test_missing_images_are_named(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    path = str(tmp_path / (folder or "gone.png"))
    with pytest.raises(DataError, match=r"gone\.png|has no images"):
        read_inputs(ImageConfig(), [path])


def test_texts_files_and_tables(write):
    lines = write("lines.txt", "first line\r\nsecond line\r\n")
    table = write("t.jsonl", '{"text": "from a table"}\n')
    found = read_inputs(TextConfig(), ["where is it?", "see v1.txt or notes.txt", lines, table])
    assert found.inputs == [
        "where is it?",
        "see v1.txt or notes.txt",
        "first line",
        "second line",
        "from a table",
    ]
    assert found.origins[0] == "where is it?"
    assert found.origins[4] == "row 1 of t.jsonl"


@pytest.mark.parametrize(
    ("text", "pairs", "read", "error"),
    [
        ("one\r\n\r\ntwo\r\n", False, ["one", "two"], "Line 2 of .*lines.txt is empty"),
        ("a\tb\nc\nd\te", True, [("a", "b"), ("d", "e")], "Line 2 .*two tab-separated texts"),
    ],
)
def test_a_line_of_a_file_fails_alone(write, text, pairs, read, error):
    path, errors = write("lines.txt", text), []
    found = read_rows(TextConfig(), [path], pairs=pairs, on_error=errors.append)
    assert [item.value for item in found] == read
    (one,) = errors
    assert re.search(error, str(one))
    with pytest.raises(DataError, match=error):
        read_rows(TextConfig(), [path], pairs=pairs)


def test_a_cell_that_cannot_be_written_to_a_table_is_empty(write, monkeypatch):
    monkeypatch.setattr(TEXTS, "part_size", 1)
    rows = ['{"text": "a", "id": 1, "more": {}}', '{"text": "b", "id": {"x": 2}, "more": 3}']
    found = read_rows(TextConfig(), [write("t.jsonl", "\n".join(rows))])
    assert [item.columns for item in found] == [{"id": 1}, {"id": None}]


@pytest.mark.parametrize("wrong", ["gone.csv", "gone.txt", "gone.PNG", "x" * 300 + ".txt"])
def test_a_missing_file_is_not_taken_for_a_text(wrong):
    with pytest.raises(DataError, match="not found"):
        read_inputs(TextConfig(), [wrong])


def test_a_picture_is_not_taken_for_a_text(tmp_path, make_images):
    make_images(tmp_path, ["1.png"])
    with pytest.raises(DataError, match="cannot read the file"):
        read_inputs(TextConfig(), [str(tmp_path / "1.png")])


def test_a_folder_is_not_taken_for_a_text(tmp_path):
    with pytest.raises(DataError, match="cannot read the folder"):
        read_inputs(TextConfig(), [str(tmp_path)])


@pytest.mark.parametrize("wrong", [[], [" "]])
def test_nothing_cannot_be_predicted(wrong):
    with pytest.raises(DataError, match=r"Give (a text|at least one)"):
        read_inputs(TextConfig(), wrong)


def test_pairs_stand_with_a_tab_between():
    found = read_inputs(TextConfig(), ["is it?\tit is"], pairs=True)
    assert found.inputs == [("is it?", "it is")]
    assert read_inputs(TextConfig(), ["is it?\tit is"]).inputs == ["is it?\tit is"]
    with pytest.raises(DataError, match="two tab-separated texts"):
        read_inputs(TextConfig(), ["is it?"], pairs=True)


def test_a_text_may_begin_with_a_tilde():
    assert read_inputs(TextConfig(), ["~20 items are missing"]).inputs == ["~20 items are missing"]


def test_pairs_of_a_table(write):
    path = write("t.csv", "text,answer\nis it?,it is\n")
    config = TextConfig(text_pair_column="answer")
    assert read_inputs(config, [path], pairs=True).inputs == [("is it?", "it is")]
    with pytest.raises(DataError, match=r"reads pairs of texts, but .* has one text per row"):
        read_inputs(TextConfig(), [path], pairs=True)
    with pytest.raises(DataError, match=r"reads single texts, but .* has pairs"):
        read_inputs(config, [path])


def test_the_columns_are_those_of_the_run(tmp_path, make_images, write):
    make_images(tmp_path, ["1.png", "2.png"])
    path = write("t.csv", "left,right\n1.png,2.png\n")
    found = read_inputs(ImageConfig(image_column="right"), [path])
    assert found.inputs[0].name == "2.png"
    assert np.shape(prepare_inputs(ImageConfig(image_size=8), found)) == (1, 8, 8, 3)
