"""Numbers, tables and JSON."""

import re
from pathlib import Path

import numpy as np
import pytest

from kerasft.cli.output import plain, print_facts, print_table, size
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


def test_numbers_are_right_aligned_and_texts_left_aligned(capsys):
    print_table(("name", "count"), [("a", 5), ("long", 12)])
    assert capsys.readouterr().out == "NAME  COUNT\na         5\nlong     12\n"


ROWS = [
    ("resnet_digits/2026-01-31_12-00-00", "accuracy 0.9722, f1 0.9731", 12345, "photos"),
    ("minilm_tickets/a", "accuracy 0.5", 7, "tickets.csv"),
]
HEADINGS = ("run", "test", "seconds", "dataset")


@pytest.fixture
def on_terminal(monkeypatch, capsys):
    """Returns a function that prints on a terminal of a width, and returns the lines."""

    def run(columns, function, *args, **options):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        function(*args, **options)
        return re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).splitlines()

    return run


@pytest.fixture
def printed(on_terminal):
    """Returns a function that prints the table on a terminal of a width, and returns its lines."""
    return lambda columns, **options: on_terminal(columns, print_table, HEADINGS, ROWS, **options)


def test_rows_have_no_limit_off_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_table(HEADINGS, ROWS, optional=("dataset",))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].endswith("12,345  photos")


def test_optional_columns_are_left_out_on_a_narrow_terminal(printed):
    lines = printed(80, optional=("dataset", "seconds"))
    assert lines[0].split() == ["RUN", "TEST", "SECONDS"]
    assert printed(68, optional=("dataset", "seconds"))[0].split() == ["RUN", "TEST"]


@pytest.mark.parametrize("columns", [80, 68, 60])
def test_text_is_wrapped_between_words_to_the_width_of_the_terminal(printed, columns):
    lines = printed(columns)
    assert max(map(len, lines)) <= columns
    words = " ".join(lines).replace("/", "/ ").split()
    for word in ("0.9722,", "0.9731", "12,345", "resnet_digits/", "2026-01-31_12-00-00"):
        assert word in words


def test_rows_are_lines_where_columns_do_not_fit(printed):
    assert printed(36)[:6] == [
        "RUN      resnet_digits/",
        "         2026-01-31_12-00-00",
        "TEST     accuracy 0.9722, f1 0.9731",
        "SECONDS  12,345",
        "DATASET  photos",
        "",
    ]


def test_values_go_below_their_names_where_the_terminal_is_very_narrow(on_terminal):
    assert on_terminal(34, print_facts, {"learning_rate_schedule": "cosine -> linear", "n": 1}) == [
        "learning_rate_schedule",
        "  cosine -> linear",
        "n",
        "  1",
    ]


def test_facts_are_wrapped_but_commands_are_not(on_terminal):
    command = "kerasft diagnose runs/resnet_digits/2026-01-31_12-00-00"
    facts = {"test": "accuracy 0.9722, loss 0.123", "load": command, "next": [command]}
    assert on_terminal(30, print_facts, facts) == [
        "test  accuracy 0.9722, loss",
        "      0.123",
        f"load  {command}",
        f"next  {command}",
    ]
