"""Numbers, names of folders and lines of errors, each with one rule for every room."""

import re

import pytest

from kerasft.errors import SettingError, first_line, name_and_first_line
from kerasft.formatting import number, setting_text, shown
from kerasft.paths import check_folder_name, timestamp_name


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
