"""The process in which a Dask worker runs its trials."""

import multiprocessing

import pytest

from kerasft.tuning import dask_child

pytestmark = pytest.mark.slow


def test_a_process_that_gets_no_trial_ends(monkeypatch):
    monkeypatch.setattr(dask_child, "UNUSED_SECONDS", 1.0)
    before = set(multiprocessing.active_children())
    dask_child.prepare_child()
    (child,) = set(multiprocessing.active_children()) - before
    child.join(60)
    assert child.exitcode == 0
    dask_child.prepare_child()  # the next search gets another one
    (other,) = set(multiprocessing.active_children()) - before
    dask_child.end_child("")
    other.join(60)
    assert other.exitcode == 0
