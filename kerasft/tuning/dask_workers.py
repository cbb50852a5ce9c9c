"""Trials on the workers of a Dask scheduler, on this machine or many."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any

from kerasft.display import status
from kerasft.errors import NetworkError, SettingError, first_line
from kerasft.runs import atomic_path
from kerasft.tuning.dask_child import STOP, end_child, prepare_child
from kerasft.tuning.dask_client import connect, scheduler_options
from kerasft.tuning.dask_trial import read_files, run_remotely
from kerasft.tuning.journal import JOURNAL
from kerasft.tuning.remote_search import (
    RemoteSearch,
    check_worker,
    has_search_folder,
    installed_versions,
)
from kerasft.tuning.trial_job import TrialJob

_BEAT_SECONDS = 5.0
_END_SECONDS = 60.0  # for running trials to reach their next batch and to send their states


class DaskWorkers:
    """Runs trials on all workers of a Dask scheduler; they may come and go.

    Args:
        recipe: Description of the recipe (`describe_recipe`).
        seed: Seed of the splits.
        folder: Search folder with its journal.
        client: Client of the scheduler (`prepared_workers`).
    """

    def __init__(self, recipe: Mapping[str, Any], seed: int, folder: Path, client: Any) -> None:
        self._client, self.options = client, scheduler_options(client)
        self._executor = client.get_executor(pure=False)
        folder = folder.absolute()
        source = recipe["source"] and Path(recipe["source"])
        self._search = RemoteSearch(
            key=f"kerasft-{uuid.uuid4()}",
            folder=folder,
            header=(folder / JOURNAL).read_bytes().partition(b"\n")[0] + b"\n",
            recipe=dict(recipe),
            recipe_file=source.read_bytes() if source and source.is_file() else None,
            seed=seed,
            versions=installed_versions(),
        )
        self._jobs: dict[Future[dict[str, Any]], TrialJob] = {}
        with _scheduler_lost_reported():
            seen = client.run(has_search_folder, self._search).values()
            self._send_files = not seen or not all(seen)
        self._ended = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    @property
    def number(self) -> int:
        """Number of workers now, which may be 0."""
        with _scheduler_lost_reported():
            return len(self._client.nthreads())

    def submit(self, job: TrialJob) -> Future[dict[str, Any]]:
        """Start a trial."""
        job = _absolute(job)
        files = _states(job, self._search.folder) if self._send_files else None
        with _scheduler_lost_reported(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # of states
            left = None if job.deadline is None else job.deadline - time.time()
            future = self._executor.submit(run_remotely, self._search, job, files, left)
        self._jobs[future] = job
        return future

    def outcome(self, ended: Future[dict[str, Any]]) -> dict[str, Any]:
        """Return the outcome of a trial that has ended; its files are in its folder then.

        Raises:
            NetworkError: The scheduler was lost.
        """
        from distributed.scheduler import KilledWorker

        job = self._jobs.pop(ended)
        try:
            outcome = ended.result()  # an OSError is one of the trial, such as of its data
        except CancelledError as error:
            raise _scheduler_lost(error) from error
        except KilledWorker as error:
            reason = f"its Dask worker was killed several times: {first_line(error)}"
            return {"state": "failed", "reason": reason, "seconds": 0.0}
        for name, content in outcome.pop("files", {}).items():
            with atomic_path(job.folder / name) as temporary:
                temporary.write_bytes(content)
        return outcome

    def end(self, *, now: bool) -> None:
        """End the search; running trials (`now`) have a minute to stop and to send their states."""
        self._ended.set()
        self._beats.join()
        if now and not all(future.done() for future in self._jobs):
            status(f"waiting up to {_END_SECONDS:.0f} s for running trials to save their states")
        if now and self._client.status == "running":
            # The error that ends the search is known; no other one must replace it.
            with contextlib.suppress(Exception):
                if self._client.nthreads():
                    wait(list(self._jobs), timeout=_END_SECONDS)
        _end_children(self._client, self._search.key)
        self._forget_lease()

    def _beat(self) -> None:
        """Renew the lease of the search on the scheduler, and stop its trials at the end."""
        from distributed import Variable

        lease = Variable(self._search.key, client=self._client)
        for number in itertools.count():
            ended = self._ended.wait(_BEAT_SECONDS if number else 0)
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):  # tried again, or lost
                lease.set(STOP if ended else number)
            if ended:
                return

    def _forget_lease(self) -> None:
        """Remove the lease from the scheduler, where no trial looks at it any more."""
        from distributed import Variable

        if self._client.status == "running" and all(future.done() for future in self._jobs):
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                Variable(self._search.key, client=self._client).delete()


def _absolute(job: TrialJob) -> TrialJob:
    continues = None if job.continues is None else job.continues.absolute()
    return dataclasses.replace(job, folder=job.folder.absolute(), continues=continues)


def _states(job: TrialJob, search: Path) -> dict[str, bytes]:
    """Return the states that a trial continues, by path in the search folder."""
    folders = [job.folder] if job.continues is None else [job.folder, job.continues]
    return {
        str(folder.relative_to(search) / name): content
        for folder in folders
        for name, content in read_files(folder).items()
        if name.startswith("state-")
    }


@contextlib.contextmanager
def _scheduler_lost_reported() -> Iterator[None]:
    """Report a scheduler that ended or cannot be reached any more."""
    try:
        yield
    except (OSError, TimeoutError) as error:
        raise _scheduler_lost(error) from error


@contextlib.contextmanager
def _missing_package_reported() -> Iterator[None]:
    """Report a worker that cannot import kerasft; Dask passes on the text of its error."""
    try:
        yield
    except Exception as error:
        if "ModuleNotFoundError" not in str(error):
            raise
        raise SettingError(
            f"A Dask worker has no kerasft ({first_line(error)}). Install the same version on all "
            "machines."
        ) from error


def _scheduler_lost(error: BaseException) -> NetworkError:
    reason = "it closed" if isinstance(error, CancelledError) else first_line(error)
    return NetworkError(
        f"The Dask scheduler was lost ({reason}). Restart it and its workers, which end "
        "too, and continue the search with --resume."
    )


@contextlib.contextmanager
def prepared_workers(scheduler: str | Any | None) -> Iterator[Any]:
    """Give the client of a scheduler whose workers import Keras while a search is planned.

    Their processes end where the plan is refused.

    Args:
        scheduler: As of `connect`; None gives None.

    Raises:
        SettingError: A worker has other versions, or may not start processes.
        NetworkError: The scheduler cannot be reached.
    """
    if scheduler is None:
        yield None
        return
    with connect(scheduler) as client:
        with _scheduler_lost_reported(), _missing_package_reported():
            client.run(check_worker, installed_versions())
            client.run(prepare_child)
        try:
            yield client
        finally:
            _end_children(client, "")


def _end_children(client: Any, key: str) -> None:
    """End the processes of a search, unless the connection is lost."""
    if client.status == "running":
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            client.run(end_child, key, on_error="ignore")
