"""Signals are acted on between batches, not while a graph is traced."""

import os
import signal

import keras
import numpy as np
import pytest

from kerasft.signals import holding_signals


class Interrupted(keras.layers.Layer):
    """Sends a signal to its own process while it is traced."""

    def __init__(self, number):
        super().__init__()
        self.number, self.traced = number, []

    def call(self, inputs):
        if not self.traced:
            os.kill(os.getpid(), self.number)
        self.traced.append("to its end")
        return inputs


class Batches(keras.callbacks.Callback):
    """Counts batches."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1


def terminate(number, _frame):
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(143)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request):
    """A signal whose handler raises an exception; the handler of before is given back."""
    handler = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: terminate}
    before = signal.signal(request.param, handler[request.param])
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_while_a_graph_is_traced_waits_for_the_end_of_the_batch(number):
    layer, batches = Interrupted(number), Batches()
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile(loss="mse")
    x = np.zeros((8, 2), "float32")
    with (
        pytest.raises(SystemExit if number == signal.SIGTERM else KeyboardInterrupt),
        holding_signals() as act_on_signals,
    ):
        model.fit(x, x[:, :1], batch_size=2, verbose=0, callbacks=[batches, act_on_signals])
    assert layer.traced
    assert batches.seen == 1


def test_the_handlers_are_given_back(number):
    before = signal.getsignal(number)
    with holding_signals():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_a_handler_that_was_replaced_stays(number):
    with pytest.raises((SystemExit, KeyboardInterrupt)), holding_signals() as acting:
        os.kill(os.getpid(), number)
        acting.on_test_batch_end(0)
    expected = signal.SIG_IGN if number == signal.SIGTERM else signal.default_int_handler
    assert signal.getsignal(number) == expected


def test_a_signal_is_acted_on_at_the_latest_at_the_end(number):
    with pytest.raises((SystemExit, KeyboardInterrupt)), holding_signals():
        os.kill(os.getpid(), number)
