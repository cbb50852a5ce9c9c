"""Trials on the workers of a Dask scheduler, on this machine or many."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import itertools
import logging
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kerasft.errors import KerasftError, NetworkError, SettingError, first_line
from kerasft.pip_commands import install_extra
from kerasft.reachable_hosts import connection_error
from kerasft.runs import atomic_path
from kerasft.tuning.dask_trial import (
    STOP,
    RemoteSearch,
    check_worker,
    has_search_folder,
    installed_versions,
    read_files,
    run_remotely,
)
from kerasft.tuning.journal import JOURNAL
from kerasft.tuning.search_options import MOST_WORKERS
from kerasft.tuning.trial_job import TrialJob
from kerasft.tuning.workers import threads_per_process

_BEAT_SECONDS = 5.0
_END_SECONDS = 60.0  # for running trials to reach their next batch and to send their states
_CONNECT_SECONDS = 5
_RESTART = "60s"  # for a killed worker, after which Dask drops it; 15 s are too few under load


class DaskWorkers:
    """Runs trials on all workers of a Dask scheduler; they may come and go.

    Args:
        recipe: Description of the recipe (`describe_recipe`).
        seed: Seed of the splits.
        folder: Search folder with its journal.
        client: Client of the scheduler (`connect`).

    Raises:
        SettingError: A worker has other versions.
    """

    def __init__(self, recipe: Mapping[str, Any], seed: int, folder: Path, client: Any) -> None:
        self._client = client
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
            client.run(check_worker, self._search)
            seen = client.run(has_search_folder, self._search).values()
            self._send_files = not seen or not all(seen)
        self._ended = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    @property
    def count(self) -> int:
        """Number of workers now; 1 while there is none, so that a trial waits for it."""
        with _scheduler_lost_reported():
            return max(1, len(self._client.nthreads()))

    def submit(self, job: TrialJob) -> Future[dict[str, Any]]:
        """Start a trial."""
        job = _absolute(job)
        files = _states(job, self._search.folder) if self._send_files else None
        with _scheduler_lost_reported(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # of states
            future = self._executor.submit(run_remotely, self._search, job, files)
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
        """End the search; running trials (`now`) stop at their next batch and send their states."""
        self._ended.set()
        self._beats.join()
        if now:
            for future in wait(list(self._jobs), timeout=_END_SECONDS).done:
                # The error that ends the search is known; these must not replace it.
                with contextlib.suppress(KerasftError, OSError, ImportError):
                    self.outcome(future)

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


def _scheduler_lost(error: BaseException) -> NetworkError:
    return NetworkError(
        f"The Dask scheduler was lost ({first_line(error)}). Restart it, and continue the search "
        "with --resume."
    )


@contextlib.contextmanager
def connect(scheduler: str | Any, certificates: Sequence[str] | None = None) -> Iterator[Any]:
    """Give a client of a Dask scheduler.

    Args:
        scheduler: `local:4` for a scheduler with 4 processes on this machine; the address of a
            running one, such as `tcp://host:8786`; or a `distributed.Client`, which stays open.
        certificates: For addresses `tls://`, the files of the certificate authority, of a
            certificate and of its key.

    Raises:
        SettingError: The address is wrong, public without TLS, or Dask is not installed.
        NetworkError: The scheduler cannot be reached.
    """
    if not isinstance(scheduler, str):
        yield scheduler
        return
    try:
        from distributed import Client, Security
    except ImportError:
        raise SettingError(
            f"`scheduler` needs Dask, which is not installed: {install_extra('dask')}"
        ) from None
    security = None
    if certificates is not None:
        if not scheduler.startswith("tls://"):
            raise SettingError(
                f"Certificates are for a scheduler at tls://HOST:PORT. Received: {scheduler}."
            )
        ca, certificate, key = certificates
        security = Security(
            tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )
    with contextlib.ExitStack() as stack:
        if scheduler.startswith("local:"):
            address: Any = stack.enter_context(_local(scheduler.removeprefix("local:")))
        else:
            address = _checked(scheduler, security)
        try:
            client = Client(address, security=security, timeout=_CONNECT_SECONDS)
        except OSError as error:
            raise _unreachable(scheduler, first_line(error)) from error
        yield stack.enter_context(client)


@contextlib.contextmanager
def _local(text: str) -> Iterator[Any]:
    """Start a scheduler and workers on this machine."""
    import dask
    from distributed import LocalCluster

    if not text.isdigit() or not 1 <= int(text) <= MOST_WORKERS:
        raise SettingError(
            f"`scheduler` must be local:N with N from 1 to {MOST_WORKERS}. Received: {text}."
        )
    settings = {
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": 2,
        "distributed.deploy.lost-worker-timeout": _RESTART,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=int(text),
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.ERROR,
            env={"TF_NUM_INTRAOP_THREADS": threads_per_process(int(text))},
        ) as cluster,
        _replacing_dropped(cluster),
    ):
        yield cluster


@contextlib.contextmanager
def _replacing_dropped(cluster: Any) -> Iterator[None]:
    """Start workers in the place of those that Dask has dropped, which it does not do itself."""
    from tornado.ioloop import PeriodicCallback

    replace = PeriodicCallback(lambda: cluster.scale(len(cluster.plan)), 1000 * _BEAT_SECONDS)
    cluster.loop.add_callback(replace.start)
    try:
        yield
    finally:
        cluster.loop.add_callback(replace.stop)


def _checked(address: str, security: Any) -> str:
    """Return an address that may be used: with TLS, or on this machine or a private network."""
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "tls") or not parts.hostname or not parts.port:
        raise SettingError(
            f"`scheduler` must be local:N, tcp://HOST:PORT or tls://HOST:PORT. Received: {address}."
        )
    if parts.scheme == "tls" and security is None:
        raise SettingError(f"{address} needs --tls-ca, --tls-cert and --tls-key.")
    if parts.scheme == "tcp" and not _is_private(parts.hostname):
        raise SettingError(
            f"{address} is a public address without TLS, where everyone could run code. Use a "
            "tls:// address with --tls-ca, --tls-cert and --tls-key."
        )
    error = connection_error(parts.hostname, parts.port)
    if error:
        raise _unreachable(address, error)
    return address


def _unreachable(address: str, error: str) -> NetworkError:
    return NetworkError(
        f"The Dask scheduler {address} cannot be reached ({error}). Start it (dask scheduler), or "
        "correct the address."
    )


def _is_private(host: str) -> bool:
    """Return whether all addresses of a host are on this machine or a private network."""
    try:
        found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise NetworkError(f"The host {host} cannot be found ({first_line(error)}).") from error
    return all(ipaddress.ip_address(address.partition("%")[0]).is_private for address in found)
