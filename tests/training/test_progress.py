"""Progress of a training: a bar and a table on a terminal, plain lines elsewhere."""

import time
from types import SimpleNamespace
from typing import ClassVar

import keras
import numpy as np
import pytest

from kerasft.data import Examples, Split
from kerasft.display import Display, showing
from kerasft.formatting import duration, number
from kerasft.tasks import TASKS, Regression
from kerasft.training.progress import Progress


def make_context(task="regression", best_epoch=1, monitor="val_loss"):
    """The parts of a context that are shown."""
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    split = Split(x, y, Examples(list(x), list(y), [""] * 8))
    log = []
    return SimpleNamespace(
        data=SimpleNamespace(train=split),
        config=SimpleNamespace(task=task),
        best_weights=SimpleNamespace(best_epoch=best_epoch, monitor=monitor),
        log=lambda line, log_only: log.append(line),
        lines=log,
    )


def train(context, display, *more, epochs=2):
    """Train a tiny model and return what the bar showed after each step."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    train_split = context.data.train
    with display.progress("preparing") as bar:
        progress = Progress(context, "main", 4, bar)
        model.fit(
            train_split.x, train_split.y, validation_data=(train_split.x, train_split.y),
            epochs=epochs, batch_size=2, verbose=0, callbacks=[progress, *more],
        )  # fmt: skip
    return bar


class Recorded(Display):
    """Keeps what is shown."""

    live = True

    def __init__(self):
        super().__init__()
        self.rows, self.seen = [], []

    def row(self, cells, plain, style=""):
        self.rows.append(({cell.heading: cell.text for cell in cells}, style))

    def changed(self, activity):
        self.seen.append((activity.text, activity.done, activity.total, activity.details))


@pytest.fixture
def recorded(monkeypatch):
    display = Recorded()
    monkeypatch.setattr("kerasft.training.progress.current", lambda: display)
    return display


def test_off_a_terminal_each_epoch_is_one_plain_line(capsys):
    context = make_context()
    with showing() as display:
        train(context, display)
    lines = capsys.readouterr().err.splitlines()
    assert lines == context.lines
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/4 main  loss ")
    assert "left " in lines[0]
    assert lines[1].endswith("best")
    assert not lines[0].endswith("best")


def test_the_bar_counts_the_steps_of_all_epochs_and_names_what_is_done(recorded):
    bar = train(make_context(), recorded)
    assert (bar.text, bar.total, bar.done) == ("main", 16, 8)
    first = next(details for _, _, _, details in recorded.seen if len(details) > 3)
    assert first[:2] == ("epoch 1/4", "step 1/4")
    assert first[2].startswith("loss ")
    assert first[-1] == "learning rate 0.01"
    assert ("main", 8, 16, ("epoch 2/4", "validation")) in recorded.seen


def test_the_throughput_and_the_time_left_follow_the_steps(recorded):
    seconds = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: time.sleep(0.3)
    )
    bar = train(make_context(), recorded, seconds)
    seen = [text for *_, details in recorded.seen for text in details]
    speeds = [text for text in seen if text.endswith("examples/s")]
    assert 0.2 < float(speeds[-1].split()[0]) <= 7  # at most two examples in 0.3 s
    assert 1 < bar.left < 60  # at least two epochs of 1.2 s


def test_the_first_step_which_also_compiles_estimates_nothing(monkeypatch):
    class Estimates(Recorded):
        def changed(self, activity):
            self.seen.append(activity.seconds_left())

    display = Estimates()
    monkeypatch.setattr("kerasft.training.progress.current", lambda: display)
    seconds = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: time.sleep((1.2, 0.51, 0, 0)[batch])
    )
    train(make_context(), display, seconds, epochs=1)
    known = [left for left in display.seen if left is not None]
    # Fourteen steps of 0.51 s are left; of the length of the first one they would take 17 s.
    assert known and all(left < 12 for left in known)
    at = display.seen.index(known[0])
    assert at >= 2 and display.seen[:at] == [None] * at


def test_the_table_has_a_row_per_epoch_and_marks_the_best(recorded):
    train(make_context(), recorded)
    (first, plain), (second, good) = recorded.rows
    assert list(first) == ["epoch", "phase", "loss", "learning rate", "time", ""]
    assert (first["epoch"], first["phase"]) == ("1/4", "main")
    assert first["loss"].count("/") == 1
    assert (first[""], plain) == ("", "")
    assert (second[""], good) == ("best", "good")


def test_the_accuracy_of_several_labels_says_what_it_counts(recorded):
    context = make_context("multilabel")
    progress = Progress(context, "main", 1, recorded.begin("training"))
    progress.set_params({"steps": 1})
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, {"accuracy": 0.5, "val_accuracy": 0.25})
    assert context.lines[0].startswith("epoch 1/1 main  accuracy per label 0.5/0.25  learning rate")
    assert recorded.rows[0][0]["accuracy per label"] == "0.5000/0.2500"


def test_the_monitored_metric_is_shown(recorded):
    context = make_context("classification", monitor="val_recall")
    progress = Progress(context, "main", 1, recorded.begin("training"))
    progress.set_params({"steps": 1})
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, {"recall": 0.5, "val_recall": 0.25, "precision": 1.0})
    assert "recall 0.5/0.25" in context.lines[0]
    assert recorded.rows[0][0]["recall"] == "0.5000/0.2500"
    assert "precision" not in context.lines[0]


def test_the_metrics_of_a_new_task_have_columns(recorded, monkeypatch):
    class Counting(Regression):
        name = "counting"
        main_metrics = ("deviance",)
        directions: ClassVar = {"loss": "min", "deviance": "min"}

    monkeypatch.setitem(TASKS, "counting", Counting())
    progress = Progress(make_context("counting"), "main", 1, recorded.begin("training"))
    progress.set_params({"steps": 1})
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, {"deviance": 0.5, "val_deviance": 0.25, "loss": 1.0, "rmse": 2.0})
    assert list(recorded.rows[0][0])[2:5] == ["loss", "deviance", "learning rate"]


def test_nothing_is_described_where_nothing_is_drawn():
    context = make_context()
    with showing(False) as display:
        bar = train(context, display)
    assert len(bar.details) == 2  # the epoch, and its validation
    assert len(context.lines) == 2


def test_times_and_numbers_are_short():
    assert [duration(s) for s in (9, 65, 7380)] == ["9s", "1m05s", "2h03m"]
    assert [number(v) for v in (0.98321, 3e-5, 68412.3, 0.0)] == ["0.9832", "3e-05", "68,412", "0"]
