"""Progress of a training: a live line on a terminal, plain lines elsewhere."""

import io

import keras
import numpy as np

from kerasft.formatting import duration, number
from kerasft.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream):
    written = []
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    progress = Progress("main", 4, written.append, lambda epoch: epoch == 1, stream)
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    model.fit(x, y, validation_data=(x, y), epochs=2, batch_size=4, verbose=0, callbacks=[progress])
    return written


def test_elsewhere_each_epoch_is_one_plain_line():
    stream = io.StringIO()
    written = shown(stream)
    lines = stream.getvalue().splitlines()
    assert lines == written
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/4 main  loss ")
    assert "left " in lines[0]
    assert lines[1].endswith("best")
    assert not lines[0].endswith("best")
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_the_line_is_redrawn():
    stream = Terminal()
    shown(stream)
    text = stream.getvalue()
    assert "step 1/2" in text
    assert text.count("\n") == 2
    assert text.count("\r\x1b[K") > 2


def test_without_a_stream_only_the_log_is_written():
    assert len(shown(None)) == 2


def test_times_and_numbers_are_short():
    assert [duration(s) for s in (9, 65, 7380)] == ["9s", "1m05s", "2h03m"]
    assert [number(v) for v in (0.98321, 3e-5, 68412.3, 0.0)] == ["0.9832", "3e-05", "68,412", "0"]
