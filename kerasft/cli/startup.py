"""Starts TensorFlow without its chatter, and keeps standard output for results."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from kerasft.quiet import quiet_start


def start_keras() -> None:
    """Imports Keras and its backend; their start-up notices are kept from the user."""
    with quiet_start():
        import keras  # noqa: F401


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Surrounds a call of the Python API: Keras is started, and stray prints go to stderr.

    Libraries print while they download or prepare; with `--json` standard output must hold
    nothing but the document.
    """
    start_keras()
    with contextlib.redirect_stdout(sys.stderr):
        yield
