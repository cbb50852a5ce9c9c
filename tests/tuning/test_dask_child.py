"""The process in which a Dask worker runs its trials."""

import multiprocessing
import time

import pytest

from kerasft.tuning import dask_child

pytestmark = pytest.mark.slow


def exit_code(process):
    """Waits for the end of a process; a thread of its pool may be the one that sees it."""
    end = time.monotonic() + 60
    while process.exitcode is None and time.monotonic() < end:
        time.sleep(0.1)
    return process.exitcode


def test_a_process_that_gets_no_trial_ends(monkeypatch):
    monkeypatch.setattr(dask_child, "UNUSED_SECONDS", 1.0)
    before = set(multiprocessing.active_children())
    dask_child.prepare_child()
    (child,) = set(multiprocessing.active_children()) - before
    assert exit_code(child) == 0
    dask_child.prepare_child()  # the next search gets another one
    (other,) = set(multiprocessing.active_children()) - before
    dask_child.end_child("")
    assert exit_code(other) == 0
