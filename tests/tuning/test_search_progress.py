"""Progress of a search."""

import pytest

from kerasft.display import Display
from kerasft.runs import create_run, write_history, write_manifest
from kerasft.tuning.progress import Expected, SearchProgress
from kerasft.tuning.results import Trial


class Live(Display):
    """A display that would draw bars."""

    live = True


def test_the_epoch_counter_of_a_trial_ends_at_its_last_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasft.tuning.progress.current", Live)
    objective = {"name": "val_loss", "direction": "min"}
    expected = Expected(trials=1, epochs=None, head_epochs=1)
    run = create_run(tmp_path, "mail", "0")
    write_manifest(run, state="running")
    progress = SearchProgress(lambda number: run.path, {}, objective, expected)
    progress.began(Trial(0, {}, 2))
    bar, shown = progress.bars[0], []
    for epochs in range(4):
        if epochs:
            write_history(run, [{"val_loss": 0.5 / n} for n in range(1, epochs + 1)])
        progress.tick([0])
        shown.append((bar.done, bar.total, *bar.details))
    assert shown == [
        (0, 3, "epoch 1/3"),
        (1, 3, "epoch 2/3", "val_loss 0.5"),
        (2, 3, "epoch 3/3", "val_loss 0.25"),
        (3, 3, "epoch 3/3", "val_loss 0.1667"),
    ]


def test_trials_are_rows_and_the_search_shows_the_best(tmp_path, monkeypatch):
    rows = []
    monkeypatch.setattr("kerasft.tuning.progress.current", Live)
    monkeypatch.setattr(Live, "row", lambda _, cells, plain, style: rows.append((cells, style)))
    objective = {"name": "val_loss", "direction": "min"}
    expected = Expected(trials=3, epochs=None, head_epochs=0)
    defaults = {"dropout": 0.1}
    progress = SearchProgress(lambda number: tmp_path, defaults, objective, expected)
    done = {"seconds": 8.0}
    trials = [
        Trial(0, defaults, 1, state="completed", score=0.5, outcome=done),
        Trial(1, {"dropout": 0.3}, 1, state="failed", outcome={**done, "reason": "it broke"}),
    ]
    with progress.running({}):
        for count, trial in enumerate(trials, start=1):
            progress.ended(trial, dict(enumerate(trials[:count])))
        assert (progress.bar.done, progress.bar.left) == (2, 8.0)
        assert progress.bar.details == ("best 0.5 (trial 0)",)
    texts = [([cell.text for cell in cells], style) for cells, style in rows]
    assert texts == [
        (["0", "defaults", "0.5", "8s", "best"], "good"),
        (["1", "dropout 0.3; failed: it broke", "failed", "8s", ""], "bad"),
    ]


def test_a_trial_that_continues_trial_0_counts_its_own_epochs(tmp_path):
    objective = {"name": "val_loss", "direction": "min"}
    expected = Expected(trials=2, epochs=None, head_epochs=1)
    progress = SearchProgress(lambda number: tmp_path / str(number), {}, objective, expected)
    outcome = {"seconds": 8.0, "score": 1.0}
    first = Trial(0, {}, 3, state="completed", outcome=outcome)
    again = Trial(1, {}, 9, continues=0)
    # 8 s for 1 + 3 epochs, so 2 s each, and 6 epochs more from epoch 3 on.
    assert progress.estimate(again, {0: first}) == pytest.approx(12.0)


def test_a_resumed_search_estimates_its_time_from_the_trials_before(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasft.tuning.progress.current", Live)
    objective = {"name": "val_loss", "direction": "min"}
    outcome = {"seconds": 8.0, "score": 1.0}
    before = {n: Trial(n, {}, 3, state="completed", outcome=outcome) for n in range(2)}
    for expected, left in (
        (Expected(trials=5, epochs=None, head_epochs=1), 24.0),
        (Expected(trials=5, epochs=28, head_epochs=1), 40.0),  # 28 - 2 * (1 + 3) epochs, 2 s each
    ):
        progress = SearchProgress(lambda number: tmp_path, {}, objective, expected)
        with progress.running(before):
            assert (progress.bar.done, progress.bar.left) == (2, left)


def test_the_number_of_workers_is_shown_where_it_changes(tmp_path, monkeypatch):
    objective = {"name": "val_loss", "direction": "min"}
    progress = SearchProgress(lambda number: tmp_path, {}, objective, Expected(3, None, 0))
    lines = []
    monkeypatch.setattr(progress, "line", lines.append)
    for number in (1, 2, 2, 0, 1):
        progress.workers(number)
    assert lines == [
        "worker 2 available, each with one trial at a time",
        "worker none available: trials wait for one",
        "worker 1 available",
    ]
