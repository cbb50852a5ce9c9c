"""Signals that are acted on between batches, not while a graph is traced."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import keras


class ActOnSignals(keras.callbacks.Callback):
    """Calls the handlers of signals that arrived during a batch at its end.

    Args:
        handlers: Handler by number of the signal.
    """

    def __init__(self, handlers: Mapping[int, Any]) -> None:
        super().__init__()
        self.handlers, self.arrived = handlers, list[int]()

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: note its arrival."""
        self.arrived.append(number)

    def act(self) -> None:
        """Call the handlers of the signals that arrived."""
        while self.arrived:
            number = self.arrived.pop(0)
            self.handlers[number](number, None)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Act on signals after a batch of training."""
        self.act()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Act on signals after a batch of validation."""
        self.act()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Act on signals after a batch of predictions."""
        self.act()


@contextlib.contextmanager
def holding_signals() -> Iterator[ActOnSignals]:
    """Hold SIGINT and SIGTERM until the body has ended; the callback it gets acts on them earlier.

    Their handlers raise an exception. Raised while TensorFlow traces a graph, in Python code that
    its C++ code calls, it becomes a ValueError, a SystemError or a segmentation fault.

    Example:
        >>> with holding_signals() as act_on_signals:  # after each batch
        ...     model.fit(batches, callbacks=[act_on_signals])
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    callback = ActOnSignals({n: h for n in numbers if callable(h := signal.getsignal(n))})
    if threading.current_thread() is not threading.main_thread():  # where signals are handled
        yield callback
        return
    for number in callback.handlers:
        signal.signal(number, callback.note)
    try:
        yield callback
    finally:
        for number, handler in callback.handlers.items():
            if signal.getsignal(number) == callback.note:  # else the handler has set another one
                signal.signal(number, handler)
        callback.act()
