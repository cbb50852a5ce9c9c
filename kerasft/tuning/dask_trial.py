"""A trial on a Dask worker, which may see the search folder or not."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError
from kerasft.runs.files import is_locked
from kerasft.runs.run import FIT_LOCK
from kerasft.tuning.dask_child import LEASE_SECONDS, POLL_SECONDS, run_in_child
from kerasft.tuning.remote_search import RemoteSearch, check_worker, has_search_folder
from kerasft.tuning.trial_job import TrialJob

Files = Mapping[str, bytes]


def run_remotely(
    search: RemoteSearch, job: TrialJob, files: Files | None, seconds_left: float | None
) -> dict[str, Any]:
    """Run a trial in the child process of this worker, and return its outcome.

    Args:
        search: The search.
        job: The trial, with folders as the searching process sees them.
        files: States that the trial continues, by path in the search folder; None where all
            workers see that folder.
        seconds_left: Seconds after which no epoch is started, instead of the job's deadline: the
            clocks of machines differ.

    Returns:
        The outcome of `run_trial`; with `files` of the trial's folder if this worker does not see
        it.

    Raises:
        SettingError: This worker has other versions, may not start processes, or does not see the
            search folder though those at the start did.
    """
    check_worker(search.versions)
    if seconds_left is not None:
        job = dataclasses.replace(job, deadline=time.time() + seconds_left)
    if has_search_folder(search):
        _wait_until_free(job.folder)
        return run_in_child(search, job)
    if files is None:
        raise SettingError(
            f"A worker on {platform.node()} does not see {search.folder}, which those at the start "
            "did. Continue with --resume while it is connected."
        )
    with _copied(search, job, files) as copy:
        outcome = run_in_child(search, copy)
        return {**outcome, "files": read_files(copy.folder)}


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
