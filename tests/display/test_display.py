"""Displays off a terminal, in a notebook, and the choice between them."""

import sys
import types

import pytest

from kerasft.display import Cell, Display, current, progress, showing, status
from kerasft.display.base import Activity
from kerasft.display.layout import kept_cells, live_lines, log_lines, row_lines
from kerasft.display.notebook import NotebookDisplay, notebook_output


def test_off_a_terminal_every_line_is_written_once(capsys):
    with showing() as display:
        status("reading photos")
        status("reading photos")
        display.line("data   photos: 12 train")
        display.row([Cell("epoch", "1", 5)], "epoch 1/2 main  loss 0.5")
        with progress("decoding images", 10) as bar:
            bar.advance(10)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "...    reading photos",
        "data   photos: 12 train",
        "epoch 1/2 main  loss 0.5",
    ]


def test_off_a_terminal_long_work_is_reported_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with showing(), progress("decoding images", 3000) as bar:
        for now[0] in (10.0, 20.0, 31.0, 40.0, 62.0):
            bar.advance(500)
    assert capsys.readouterr().err.splitlines() == [
        "...    decoding images: 1,500 of 3,000, left 31s",
        "...    decoding images: 2,500 of 3,000, left 12s",
    ]


def test_without_a_display_nothing_is_shown(capsys):
    status("reading")
    with progress("decoding", 3) as bar:
        bar.advance()
    assert capsys.readouterr().err == ""
    assert not current().live


def test_a_display_that_is_open_is_used_and_a_quiet_one_stays_quiet(capsys):
    with showing() as outer, showing() as inner:
        assert inner is outer
    with showing(False) as quiet, showing() as inner:
        assert inner is quiet
        inner.line("not shown")
    assert capsys.readouterr().err == ""
    assert type(current()) is Display


def test_the_display_ends_with_an_error():
    with pytest.raises(KeyError), showing():
        raise KeyError
    assert type(current()) is Display


def test_a_notebook_has_one_output_of_limited_length():
    outputs = []
    with NotebookDisplay(outputs.append) as display:
        display.status("reading")
        assert outputs[-1].startswith("reading  0s")
        for number in range(100):
            display.row([Cell("epoch", f"{number}/100", 7), Cell("loss", "0.5", 6)], "")
        with display.progress("main", 10) as bar:
            bar.done = 5
            display.line("watch  odd")
            assert f"main {'━' * 15}{'─' * 15} 5/10" in outputs[-1]
    last = outputs[-1].splitlines()
    assert len(last) == 31
    assert last[0] == "(72 lines above)"
    assert last[-1] == "watch  odd"


def test_many_small_steps_update_a_notebook_seldom():
    outputs = []
    with NotebookDisplay(outputs.append) as display, display.progress("decoding", 10_000) as bar:
        for _ in range(10_000):
            bar.advance()
    assert len(outputs) < 20


def test_a_notebook_is_found_by_its_kernel(monkeypatch):
    published = []

    class Handle:
        def update(self, data, raw):
            published.append(data["text/plain"])

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = lambda data, raw, display_id: Handle()
    assert notebook_output() is None
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    with showing() as display:
        display.line("shown")
    assert published[-1] == "shown"
    ipython.get_ipython = lambda: types.SimpleNamespace()  # a shell in a terminal
    assert notebook_output() is None


def test_columns_are_left_out_by_rank_and_others_use_the_room():
    cells = [Cell("a", "1", 5), Cell("b", "2", 20, 1), Cell("c", "3", 5, 2)]
    assert [cell.heading for cell in kept_cells(cells, 40)] == ["a", "b", "c"]
    assert [cell.heading for cell in kept_cells(cells, 30)] == ["a", "b"]
    assert [cell.heading for cell in kept_cells(cells, 20)] == ["a", "c"]


def test_a_text_is_wrapped_into_the_room_that_other_columns_leave():
    cells = [
        Cell("n", "1", 3),
        Cell("settings", "dropout 0.1, rate 0.001", None),
        Cell("s", "9", 3),
    ]
    assert row_lines(cells, 30) == ["  1  dropout 0.1, rate       9", "     0.001"]


def test_a_word_longer_than_the_terminal_is_not_broken():
    path = "runs/a_long_name/2026-01-31_12-00-00"
    assert log_lines(f"run    {path} is new", 20) == ["run", f"  {path}", "  is new"]


def test_the_time_left_is_estimated_after_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    activity = Activity("decoding", 100)
    activity.advance(10)
    assert activity.seconds_left() is None
    now[0] = 2.0
    assert activity.seconds_left() == pytest.approx(18.0)
    display = Display()
    display.activities.append(activity)
    assert live_lines(display, 80) == [f"decoding {'━' * 3}{'─' * 27} 10/100  18s left"]
    assert live_lines(display, 20) == ["decoding 10/100"]
