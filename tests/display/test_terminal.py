"""The display on a pseudo terminal: bars while something runs, lines that stay."""

import re

import pytest

from tests.display.terminal_program import run_on_terminal, screen

PROGRAM = """
import sys, time, warnings
from kerasft.display import Cell, progress, showing, status

def epoch(number, best):
    cells = [Cell("epoch", f"{number}/12", 5), Cell("phase", "main", 5, 5),
             Cell("loss", "1.2345/1.2345", 13, 2), Cell("accuracy", "0.9812/0.9912", 13, 1),
             Cell("rate", "3e-05", 8, 6), Cell("", "best" if best else "", 4)]
    return cells

with showing() as display:
    status("importing TensorFlow")
    display.line("note   " + "0.123456789 " * 12)
    with progress("decoding images", 40) as bar:
        bar.advance(30)
        bar.details = ("epoch 3/12", "loss 0.3121", "rate 3e-04", "1,234 examples/s", "x" * 30)
        sys.stderr.write("\\rdownload 12%")
        sys.stderr.write("\\rdownload 99%")
        time.sleep(0.6)
        print("\\nprinted by a library", file=sys.stderr)
        warnings.warn("odd")
    display.row(epoch(1, False), "")
    display.row(epoch(2, True), "", "good")
    display.line("watch  something is odd")
print("result")
"""


@pytest.fixture(scope="module", params=[80, 40])
def columns(request):
    return request.param


@pytest.fixture(scope="module")
def output(columns):
    return run_on_terminal(PROGRAM, columns)


def without_colors(output):
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


def test_what_runs_is_drawn(output):
    assert "importing TensorFlow  0s" in output
    assert "decoding images ━" in without_colors(output)
    assert "30/40" in output
    assert "epoch 3/12  loss 0.3121" in output


def test_the_line_of_a_download_is_drawn_in_place(output):
    assert "download 99%" in output
    assert "download 12%download 99%" not in output


def test_only_lines_stay_and_none_is_wider_than_the_terminal(output, columns):
    lines = screen(output)
    assert all(len(line) <= columns for line in lines), lines
    assert not any("decoding" in line or "importing" in line for line in lines)
    assert "printed by a library" in lines
    assert lines[-2:] == ["result", ""]


def test_the_lines_of_a_library_are_wrapped_by_the_terminal_alone():
    path = "/data/" + "a_long_folder/" * 4 + "weights.h5"
    output = run_on_terminal(
        "import sys\n"
        "from kerasft.display import showing\n"
        "with showing():\n"
        "    assert sys.stderr.isatty()\n"
        f"    sys.stderr.write('reads {path}\\r\\n')\n",
        40,
    )
    assert screen(output) == [f"reads {path}", ""]


def test_long_lines_are_wrapped_between_numbers(output):
    numbers = re.findall(r"[\d.]+", " ".join(x for x in screen(output) if x.startswith("note")))
    assert set(numbers) == {"0.123456789"}


def test_narrow_tables_leave_out_columns_and_cut_no_cell(output, columns):
    lines = screen(output)
    heading = next(line for line in lines if line.startswith("EPOCH"))
    wide = "EPOCH  PHASE           LOSS       ACCURACY      RATE"
    assert heading == (wide if columns == 80 else "EPOCH  PHASE       ACCURACY")
    best = lines[lines.index(heading) + 2]
    assert best.startswith(" 2/12")
    assert best.endswith("best")
    assert "0.9812/0.9912" in best


def test_colors_have_a_meaning_and_can_be_turned_off(output, columns):
    assert re.search(r"\x1b\[32m 2/12", output)  # the best epoch is green
    assert re.search(r"\x1b\[33mwatch", output)  # a problem is yellow
    plain = run_on_terminal(PROGRAM, columns, NO_COLOR="1")
    assert not re.search(r"\x1b\[3\dm", plain)
    assert screen(plain)[0] == screen(output)[0]


def test_a_dumb_terminal_gets_plain_lines():
    output = run_on_terminal(PROGRAM, 80, TERM="dumb")
    assert "\x1b" not in output
    assert "...    importing TensorFlow" in output


def test_a_terminal_without_unicode_gets_bars_of_ascii():
    output = run_on_terminal(PROGRAM, 80, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "decoding images ----" in without_colors(output)
    assert output.isascii()


def test_streams_are_restored_and_keep_working_after_the_display():
    output = run_on_terminal(
        "import sys\n"
        "from kerasft.display import showing\n"
        "before = sys.stderr\n"
        "try:\n"
        "    with showing() as display:\n"
        "        kept = sys.stderr\n"
        "        kept.write('not finished')\n"
        "        raise KeyError('x')\n"
        "except KeyError:\n"
        "    pass\n"
        "assert sys.stderr is before and kept is not before\n"
        "kept.write('written later\\n')\n"
        "display.line('of a thread')\n",
        80,
    )
    assert screen(output) == ["not finished", "written later", "of a thread", ""]
