"""Displays off a terminal, in a notebook, and the choice between them."""

import io
import sys
import types

import pytest

from kerasft.display import Cell, Display, current, progress, showing, status
from kerasft.display.notebook import NotebookDisplay
from kerasft.display.rich_display import RichDisplay, kept_cells


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
    display = NotebookDisplay(outputs.append)
    with display.drawing():
        display.status("reading")
        assert outputs[-1].startswith("reading  0s")
        for number in range(100):
            display.row([Cell("epoch", f"{number}/100", 7), Cell("loss", "0.5", 6)], "")
        with display.progress("main", 10) as bar:
            bar.done = 5
            display.line("watch  odd")
            assert f"main {'━' * 12}╸{' ' * 12} 5/10" in outputs[-1]
    last = outputs[-1].splitlines()
    assert len(last) == 31
    assert last[0] == "(72 lines above)"
    assert last[-1] == "watch  odd"


def test_many_small_steps_update_a_notebook_seldom():
    outputs = []
    display = NotebookDisplay(outputs.append)
    with display.drawing(), display.progress("decoding", 10_000) as bar:
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
    with showing() as display:
        assert not isinstance(display, NotebookDisplay)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    with showing() as display:
        display.line("shown")
    assert published[-1] == "shown"
    ipython.get_ipython = lambda: types.SimpleNamespace()  # a shell in a terminal
    with showing() as display:
        assert not isinstance(display, NotebookDisplay)


def test_columns_are_left_out_by_rank_and_others_use_the_room():
    cells = [Cell("a", "1", 5), Cell("b", "2", 20, 1), Cell("c", "3", 5, 2)]
    assert [cell.heading for cell in kept_cells(cells, 40)] == ["a", "b", "c"]
    assert [cell.heading for cell in kept_cells(cells, 30)] == ["a", "b"]
    assert [cell.heading for cell in kept_cells(cells, 20)] == ["a", "c"]


def printed(width):
    """A display that prints to memory, and a function that returns what it has printed."""
    file = io.StringIO()
    display = RichDisplay(file, terminal=False, width=width)
    return display, lambda: [line.rstrip() for line in file.getvalue().splitlines()]


def test_headings_are_printed_where_the_columns_change():
    display, lines = printed(40)
    for epoch in "12":
        display.row([Cell("epoch", epoch, 5), Cell("phase", "head", 6, left=True)], "")
    display.row([Cell("trial", "0", 5), Cell("", "best", 4)], "")
    assert lines() == [
        "EPOCH  PHASE",
        "    1  head",
        "    2  head",
        "TRIAL",
        "    0  best",
    ]


def test_a_text_is_wrapped_into_the_room_that_other_columns_leave():
    display, lines = printed(30)
    cells = [
        Cell("n", "1", 3),
        Cell("settings", "dropout 0.1, rate 0.001", None),
        Cell("s", "9", 3),
    ]
    display.row(cells, "")
    assert lines() == [
        "  N  SETTINGS                S",
        "  1  dropout 0.1, rate       9",
        "     0.001",
    ]


def test_a_word_longer_than_the_terminal_is_not_broken():
    display, lines = printed(20)
    path = "runs/a_long_name/2026-01-31_12-00-00"
    display.line(f"run    {path} is new")
    assert lines() == ["run", f"  {path}", "  is new"]


def drawn(display):
    """What runs, as lines."""
    with display.console.capture() as captured:
        display.console.print(display.running())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_time_left_is_estimated_after_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display, _ = printed(80)
    activity = display.begin("decoding", 100)
    activity.advance(10)
    assert activity.seconds_left() is None
    now[0] = 2.0
    assert activity.seconds_left() == pytest.approx(18.0)
    assert drawn(display) == [f"decoding {'━' * 2}{' ' * 18} 10/100 18s left"]


def test_steps_without_a_total_are_counted():
    display = RichDisplay(io.StringIO(), terminal=False, width=40)
    with display.progress("predicting") as bar:
        assert drawn(display)[0].rstrip() == "predicting  0s"
        bar.advance(8192)
        assert drawn(display)[0].rstrip() == "predicting  8,192  0s"


def test_the_bar_and_the_text_give_way_to_the_count_and_the_time_left():
    display, _ = printed(40)
    activity = display.begin("computing frozen features", 12345)
    activity.done, activity.left = 6000, 65.0
    activity.details = ("epoch 3/12", "loss 0.3121", "learning rate 0.001", "5 examples/s")
    line, details = drawn(display)
    assert line.startswith("computi… ━━")
    assert line.endswith(" 6,000/12,345 1m05s left")
    assert details == "  epoch 3/12  loss 0.3121  learning rat…"
    assert len(line) == len(details) == 40
