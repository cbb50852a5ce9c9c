"""Numbers, tables and JSON."""

from pathlib import Path

import numpy as np
import pytest

from kerasft.cli.output import plain, print_table, size
from kerasft.formatting import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97777, "0.9778"),
        (12345.6, "12,346"),
        (12345, "12,345"),
        (0.0, "0"),
        (1e-9, "1e-09"),
        (1.0, "1"),
        (7, "7"),
        (None, ""),
        (True, "yes"),
        (float("nan"), "nan"),
    ],
)
def test_values_as_a_person_reads_them(value, text):
    assert shown(value) == text


def test_sizes():
    assert [size(0), size(2048), size(3.5 * 2**30)] == ["0 B", "2.0 KiB", "3.5 GiB"]


def test_plain_is_what_json_knows():
    value = {
        "a": np.float32(0.5),
        "b": (np.int64(3), float("inf")),
        1: Path("x"),
        "c": np.arange(2),
    }
    assert plain(value) == {"a": 0.5, "b": [3, None], "1": "x", "c": [0, 1]}


def test_numbers_stand_right_and_texts_left(capsys):
    print_table(("name", "count"), [("a", 5), ("long", 12)])
    assert capsys.readouterr().out == "NAME  COUNT\na         5\nlong     12\n"


def test_rows_are_cut_on_a_terminal_only(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "8")
    print_table(("name",), [("0123456789",)])
    assert capsys.readouterr().out.splitlines()[1] == "0123456789"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    print_table(("name",), [("0123456789",)])
    assert "0123456…" in capsys.readouterr().out
