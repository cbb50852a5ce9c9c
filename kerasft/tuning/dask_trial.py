"""A trial on a Dask worker, in a child process that runs the trials of a search one by one.

Not in the worker itself, where seeds do not hold: Dask draws from Python's `random`, from which
Keras takes seeds, while a trial waits. Nothing here imports Keras into the worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError
from kerasft.runs.files import is_locked
from kerasft.runs.run import FIT_LOCK
from kerasft.runs.versions import package_versions
from kerasft.tuning import worker_process
from kerasft.tuning.journal import JOURNAL
from kerasft.tuning.trial_job import TrialJob

ATTEMPTS = 3  # of a trial whose process is killed
POLL_SECONDS = 1.0
LEASE_SECONDS = 60.0  # after which a search that is not heard of is over
STOP = "stop"  # value of the lease that stops running trials
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class RemoteSearch:
    """What a worker must have to run the trials of a search.

    Attributes:
        key: Name of this search on the scheduler.
        folder: Search folder; the worker may see it or not.
        header: First line of its journal, by which a worker finds out whether it sees it.
        recipe: Description of the recipe (`describe_recipe`).
        recipe_file: Content of a recipe outside of the package.
        seed: Seed of the splits.
        versions: Versions of the process that searches.
    """

    key: str
    folder: Path
    header: bytes
    recipe: Mapping[str, Any]
    recipe_file: bytes | None
    seed: int
    versions: Mapping[str, str]


@dataclass
class _Child:
    """The process of a search on this worker."""

    key: str
    pool: ProcessPoolExecutor
    cancelled: Any
    scratch: tempfile.TemporaryDirectory[str]

    def end(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.scratch.cleanup()


_child: _Child | None = None
_one_trial = threading.Lock()  # a worker with several threads runs trials one by one too


def installed_versions() -> dict[str, str]:
    """Return what scores depend on, without importing the packages."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return {"python": platform.python_version(), "backend": backend, **package_versions()}


def run_remotely(search: RemoteSearch, job: TrialJob, files: Files | None) -> dict[str, Any]:
    """Run a trial in the child process of this worker, and return its outcome.

    Args:
        search: The search.
        job: The trial, with folders as the searching process sees them.
        files: States that the trial continues, by path in the search folder; None where all
            workers see that folder.

    Returns:
        The outcome of `run_trial`; with `files` of the trial's folder if this worker does not see
        it.

    Raises:
        SettingError: This worker has other versions, may not start processes, or does not see the
            search folder though those at the start did.
    """
    check_worker(search)
    if has_search_folder(search):
        _wait_until_free(job.folder)
        return _run_in_child(search, job)
    if files is None:
        raise SettingError(
            f"A worker on {platform.node()} does not see {search.folder}, which those at the start "
            "did. Continue with --resume while it is connected."
        )
    with _copied(search, job, files) as copy:
        outcome = _run_in_child(search, copy)
        return {**outcome, "files": read_files(copy.folder)}


def check_worker(search: RemoteSearch) -> None:
    """Raise SettingError if this worker cannot run the trials of a search."""
    here = f"The Dask worker on {platform.node()}"
    if multiprocessing.current_process().daemon:
        raise SettingError(
            f"{here} may not start processes. Start it with --no-nanny, or with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False in its environment."
        )
    other = {
        name: version
        for name, version in installed_versions().items()
        if search.versions.get(name) != version
    }
    if other:
        named = (f"{name} {v} (expected {search.versions.get(name)})" for name, v in other.items())
        differ = ", ".join(named)
        raise SettingError(f"{here} has {differ}. Install the same versions on all machines.")


def has_search_folder(search: RemoteSearch) -> bool:
    """Return whether this worker sees the search folder."""
    try:
        with open(search.folder / JOURNAL, "rb") as file:
            return file.readline() == search.header
    except OSError:
        return False


def _wait_until_free(folder: Path) -> None:
    """Wait for a process of a lost worker or search, which stops when its lease is over."""
    until = time.monotonic() + 2 * LEASE_SECONDS
    while is_locked(folder / FIT_LOCK) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@contextlib.contextmanager
def _copied(search: RemoteSearch, job: TrialJob, files: Files) -> Iterator[TrialJob]:
    """Give a trial with folders on this machine, with the states that it continues."""
    with tempfile.TemporaryDirectory(prefix="kerasft-trial-") as root:
        for name, content in files.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        copy = dataclasses.replace(
            job,
            folder=Path(root, job.folder.relative_to(search.folder)),
            continues=job.continues and Path(root, job.continues.relative_to(search.folder)),
        )
        copy.folder.mkdir(parents=True, exist_ok=True)
        yield copy


def _run_in_child(search: RemoteSearch, job: TrialJob) -> dict[str, Any]:
    """Run a trial in the child process; a killed one is replaced."""
    with _one_trial:
        return _run_alone(search, job)


def _run_alone(search: RemoteSearch, job: TrialJob) -> dict[str, Any]:
    lease = _Lease(search.key)
    for _ in range(ATTEMPTS):
        child = _child_of(search)
        with contextlib.suppress(BrokenProcessPool):
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
        """Return whether the search has ended, or was not heard of for a minute."""
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
    _end_child()
    context = multiprocessing.get_context("spawn")
    cancelled = context.Event()
    scratch = tempfile.TemporaryDirectory(prefix="kerasft-recipe-")
    recipe = _recipe_here(search, Path(scratch.name))
    start = (recipe, search.seed, cancelled)
    _child = _Child(
        search.key, ProcessPoolExecutor(1, context, _start_child, start), cancelled, scratch
    )
    return _child


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


def _start_child(recipe: dict[str, Any], seed: int, cancelled: Any) -> None:
    """Start a process that ends with its worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker_process.start(recipe, seed, cancelled)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
