"""The process in which a Dask worker runs the trials of a search one by one.

Not in the worker itself, where seeds do not hold: Dask draws from Python's `random`, from which
Keras takes seeds, while a trial waits. Nothing here imports Keras into the worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from kerasft.errors import ResourceError, first_line
from kerasft.tuning import worker_process
from kerasft.tuning.remote_search import RemoteSearch
from kerasft.tuning.trial_job import TrialJob

ATTEMPTS = 3  # of a trial whose process is killed
POLL_SECONDS = 1.0
LEASE_SECONDS = 60.0  # after which a search that renews no lease is over
UNUSED_SECONDS = 300.0  # after which a process without a trial ends: its search may be killed
STOP_SECONDS = 20.0  # for a trial to save its state where its worker ends
STOP = "stop"  # value of the lease that stops running trials


@dataclass
class _Child:
    """The process of this worker for the trials of a search.

    Attributes:
        pool: The process.
        cancelled: Event that stops its trial at the next batch.
        scratch: Folder of a recipe's file.
        unused: Timer that ends it where it gets no trial.
        key: Name of the search, empty until its first trial.
    """

    pool: ProcessPoolExecutor
    cancelled: Any
    scratch: tempfile.TemporaryDirectory[str]
    unused: threading.Timer
    key: str = ""

    def end(self) -> None:
        self.unused.cancel()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.scratch.cleanup()


_child: _Child | None = None
_one_trial = threading.Lock()  # a worker with several threads runs trials one by one too


def prepare_child() -> None:
    """Start a process that imports Keras, if this worker has none, while a search is planned."""
    global _child
    with _if_idle() as idle:
        if idle:
            try:
                _child = _child or _new_child()
            except OSError as error:  # such as a full disk
                raise ResourceError(
                    f"The Dask worker on {platform.node()} cannot start a process "
                    f"({first_line(error)}). Free what it lacks."
                ) from error
            _wait_for_trial(_child)


def end_child(key: str) -> None:
    """End the process of a search that has ended, with its models and its memory.

    Args:
        key: Name of the search; empty for one that has not begun.
    """
    with _if_idle() as idle:  # else it ends with its trial, by the lease
        if idle and _child is not None and _child.key == key:
            _end_child()


@contextlib.contextmanager
def _if_idle() -> Iterator[bool]:
    """Give whether no trial is running here, and let none begin meanwhile."""
    idle = _one_trial.acquire(blocking=False)
    try:
        yield idle
    finally:
        if idle:
            _one_trial.release()


def run_in_child(search: RemoteSearch, job: TrialJob) -> dict[str, Any]:
    """Run a trial in the child process; a killed one is replaced."""
    with _one_trial:
        try:
            return _run_alone(search, job)
        finally:
            if _child is not None:
                _wait_for_trial(_child)


def _wait_for_trial(child: _Child) -> None:
    """End a process that gets no trial for some minutes, with its models and its memory."""

    def end() -> None:
        with _if_idle() as idle:
            if idle and child is _child:
                _end_child()

    child.unused.cancel()
    child.unused = threading.Timer(UNUSED_SECONDS, end)
    child.unused.daemon = True
    child.unused.start()


def _run_alone(search: RemoteSearch, job: TrialJob) -> dict[str, Any]:
    lease = _Lease(search.key)
    for _ in range(ATTEMPTS):
        with contextlib.suppress(BrokenProcessPool):
            child = _child_of(search)
            child.unused.cancel()
            running = child.pool.submit(worker_process.run, job)
            while not wait([running], timeout=POLL_SECONDS).done:
                if lease.is_over():
                    child.cancelled.set()
            if child.cancelled.is_set():
                _end_child()  # the next trial needs a process that is not cancelled
            return running.result()
        _end_child()
    reason = f"its process was killed {ATTEMPTS} times, probably because memory ran out"
    return {"state": "failed", "reason": reason, "seconds": 0.0}


class _Lease:
    """A value on the scheduler that the searching process changes every few seconds."""

    def __init__(self, key: str) -> None:
        from distributed import Variable, get_client

        self._variable = Variable(key, client=get_client())
        self._last: Any = None
        self._changed = time.monotonic()

    def is_over(self) -> bool:
        """Return whether the search has ended, or has not renewed its lease for a minute."""
        with contextlib.suppress(OSError):  # nothing was set in time, or the connection was lost
            value = self._variable.get(timeout=POLL_SECONDS)
            if value != self._last:
                self._last, self._changed = value, time.monotonic()
        return bool(self._last == STOP) or time.monotonic() - self._changed > LEASE_SECONDS


def _child_of(search: RemoteSearch) -> _Child:
    """Return the process for the trials of a search; that of another search ends."""
    global _child
    if _child is not None and _child.key == search.key:
        return _child
    if _child is None or _child.key:
        _end_child()
        _child = _new_child()
    _child.key = search.key
    recipe = _recipe_here(search, Path(_child.scratch.name))
    _child.pool.submit(worker_process.start, recipe, search.seed)
    return _child


def _new_child() -> _Child:
    """Start a process that imports Keras."""
    context = multiprocessing.get_context("spawn")
    cancelled, before = context.Event(), set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(1, context, _start_child, (cancelled,))
    pool.submit(worker_process.import_packages)
    (process,) = set(multiprocessing.active_children()) - before
    # A worker that ends, as where the scheduler is lost, waits for its processes.
    Finalize(None, _end_process, (process, pool, cancelled), exitpriority=1)
    scratch = tempfile.TemporaryDirectory(prefix="kerasft-recipe-")
    return _Child(pool, cancelled, scratch, unused=threading.Timer(UNUSED_SECONDS, _end_child))


def _end_process(process: Any, pool: ProcessPoolExecutor, cancelled: Any) -> None:
    """Let a trial stop at its next batch, and end its process."""
    cancelled.set()
    pool.shutdown(wait=False, cancel_futures=True)
    process.join(STOP_SECONDS)
    process.kill()


def _end_child() -> None:
    global _child
    if _child is not None:
        _child.end()
        _child = None


def _recipe_here(search: RemoteSearch, scratch: Path) -> dict[str, Any]:
    """Return the description of the recipe, whose file is written if this machine has another."""
    recipe = dict(search.recipe)
    source = Path(recipe["source"] or "")
    if search.recipe_file is None or (
        source.is_file() and source.read_bytes() == search.recipe_file
    ):
        return recipe
    path = scratch / source.name
    path.write_bytes(search.recipe_file)
    return {**recipe, "source": str(path)}


def _start_child(cancelled: Any) -> None:
    """Start a process that ends with its worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker_process.prepare(cancelled)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
