"""Numbers, names of folders and lines of errors, each with one rule for every room."""

import re

import pytest

from kerasft.errors import DataError, SettingError, first_line, name_and_first_line
from kerasft.formatting import number, printable, setting_text, shown
from kerasft.insight import fit_command
from kerasft.paths import check_folder_name, numbered_folders, shortest, timestamp_name, whole
from kerasft.runs import find_export


@pytest.mark.parametrize("value", [68412, 68412.3])
def test_every_formatter_for_people_has_thousands_separators(value):
    assert number(value) == shown(value) == "68,412"


@pytest.mark.parametrize(
    ("value", "text"),
    [(64_000, "64000"), (64_000.0, "64000"), (1e-5, "1e-05"), (True, "yes"), (None, "")],
)
def test_a_setting_is_shown_as_the_command_line_accepts_it(value, text):
    assert setting_text(value) == text


def test_the_first_line_of_an_error():
    error = ValueError("\n  Bad shape.\nReceived: (3,)")
    assert first_line(error) == "Bad shape"
    assert name_and_first_line(error) == "ValueError: Bad shape"
    assert first_line(MemoryError()) == name_and_first_line(MemoryError()) == "MemoryError"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/a", "a/"])
def test_what_is_not_a_plain_folder_name_is_refused(name):
    with pytest.raises(SettingError, match=re.escape(f"name={name!r}")):
        check_folder_name(name)


def test_a_timestamp_is_a_plain_folder_name():
    check_folder_name(timestamp_name())


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("work/photos", "photos"),
        ("work", "."),
        ("photos", "../photos"),
        ("a/b", "../a/b"),
    ],
)
def test_a_path_near_the_current_folder_is_relative(tmp_path, monkeypatch, path, short):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert shortest(tmp_path / path) == short


def test_a_whole_path_has_no_parent_folders_but_behind_a_link(tmp_path, monkeypatch):
    for name in ("work", "photos", "elsewhere/inner", "elsewhere/photos"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "inner")
    monkeypatch.chdir(tmp_path / "work")
    assert whole("../photos") == tmp_path / "photos"
    assert whole("../link/../photos").samefile(tmp_path / "elsewhere" / "photos")
    assert whole("../missing") == tmp_path / "work" / ".." / "missing"


def test_versions_are_folders_with_a_number(tmp_path):
    for name in ("2", "10", "²", "1.bak", ".3", "x"):
        (tmp_path / name).mkdir()
    (tmp_path / "4").touch()
    assert numbered_folders(tmp_path) == {2: tmp_path / "2", 10: tmp_path / "10"}
    assert find_export(tmp_path) is None
    for name in ("2", "10"):
        (tmp_path / name / "saved_model.pb").touch()
    assert find_export(tmp_path) == tmp_path / "10"
    assert find_export(tmp_path / "2") == tmp_path / "2"
    assert find_export(tmp_path / "nothing") is None


def test_a_path_far_from_the_current_folder_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shortest("/data") == "/data"


def test_a_command_names_recipe_and_dataset_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"dataset": f"{tmp_path}/my photos", "data_dir": "/d", "label_separator": "/"}
    assert fit_command(f"{tmp_path}/mine.py", values) == (
        "kerasft fit mine.py --dataset 'my photos' --data-dir /d --label-separator /"
    )
    assert (
        fit_command("resnet_digits", {"dataset": None}) == "kerasft fit resnet_digits --dataset ''"
    )


@pytest.mark.parametrize("character", ["\x1b", "\0", "\x9b", "\r", "\u202e", "\u2066", "\udcff"])
def test_a_message_cannot_command_a_terminal(character):
    text = str(DataError(f"cat{character}[2J has no images."))
    assert character not in text
    assert text.startswith("cat\\")
    assert printable("löwe\t日本\n") == "löwe\t日本\n"


def test_a_long_message_keeps_its_ends():
    text = str(DataError(f"Path {'x' * 5000} not found."))
    assert len(text) == 600
    assert text.startswith("Path x")
    assert text.endswith("x not found.")
