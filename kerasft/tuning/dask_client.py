"""A connection to a Dask scheduler: a running one, or one with workers on this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from kerasft.errors import NetworkError, SettingError, first_line
from kerasft.pip_commands import install_extra
from kerasft.reachable_hosts import connection_error
from kerasft.tuning.search_options import MOST_WORKERS
from kerasft.tuning.workers import thread_limits

_CONNECT_SECONDS = 5
_RESTART = "60s"  # for a killed worker, after which Dask drops it; 15 s are too few under load
_REPLACE_SECONDS = 5.0
# Ctrl-C reaches all processes of a terminal; the search ends its workers itself.
_PRELOAD = """
import signal
from kerasft.tuning.workers import use_own_gpu
signal.signal(signal.SIGINT, signal.SIG_IGN)
def dask_setup(worker):
    use_own_gpu(worker.name)
"""


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
    try:
        from distributed import Client, Security
    except ImportError:
        raise SettingError(
            f"`scheduler` needs Dask, which is not installed: {install_extra('dask')}"
        ) from None
    if isinstance(scheduler, Client):
        yield scheduler
        return
    if not isinstance(scheduler, str):
        raise SettingError(
            "`scheduler` must be local:N, an address or a distributed.Client. Received: "
            f"{scheduler!r}."
        )
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


def scheduler_options(client: Any) -> list[str]:
    """Return the options of the command line that connect to the scheduler of a client."""
    from distributed import LocalCluster

    if isinstance(client.cluster, LocalCluster):
        return ["--scheduler", f"local:{len(client.cluster.plan)}"]
    options = ["--scheduler", str(client.scheduler.address)]
    security = client.security
    files = (security.tls_ca_file, security.tls_client_cert, security.tls_client_key)
    for name, file in zip(("ca", "cert", "key"), files, strict=True):
        options += [f"--tls-{name}", file] if file else []
    return options


@contextlib.contextmanager
def _local(text: str) -> Iterator[Any]:
    """Start a scheduler and workers on this machine."""
    import dask
    from distributed import LocalCluster

    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST_WORKERS:
        raise SettingError(
            f"`scheduler` must be local:N with N from 1 to {MOST_WORKERS}. Received: {text}."
        )
    settings = {
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": 2,
        "distributed.deploy.lost-worker-timeout": _RESTART,
        "distributed.worker.profile.enabled": False,  # else it samples stacks, and ticks,
        "distributed.admin.tick.interval": "1s",  # all the time
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=int(text),
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",  # else another search on this machine warns of 8787
            scheduler_kwargs={"dashboard": False},
            host="127.0.0.1",
            silence_logs=logging.ERROR,
            preload=_PRELOAD,
            env=thread_limits(int(text)),
        ) as cluster,
        _replacing_dropped(cluster),
    ):
        yield cluster


@contextlib.contextmanager
def _replacing_dropped(cluster: Any) -> Iterator[None]:
    """Start workers in the place of those that Dask has dropped, which it does not do itself."""
    from tornado.ioloop import PeriodicCallback

    replace = PeriodicCallback(lambda: cluster.scale(len(cluster.plan)), 1000 * _REPLACE_SECONDS)
    cluster.loop.add_callback(replace.start)
    try:
        yield
    finally:
        cluster.loop.add_callback(replace.stop)


def _checked(address: str, security: Any) -> str:
    """Return an address that may be used: with TLS, or on this machine or a private network."""
    scheme, host, port = _parts(address)
    if scheme == "tls" and security is None:
        raise SettingError(f"{address} needs --tls-ca, --tls-cert and --tls-key.")
    if scheme == "tcp" and not _is_private(host):
        raise SettingError(
            f"{address} is a public address without TLS, where everyone could run code. Use a "
            "tls:// address with --tls-ca, --tls-cert and --tls-key."
        )
    error = connection_error(host, port)
    if error:
        raise _unreachable(address, error)
    return address


def _parts(address: str) -> tuple[str, str, int]:
    """Return the scheme, the host and the port of an address."""
    with contextlib.suppress(ValueError):  # of a port that is no number, or too large
        parts = urlsplit(address)
        if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port:
            return parts.scheme, parts.hostname, parts.port
    raise SettingError(
        f"`scheduler` must be local:N, tcp://HOST:PORT or tls://HOST:PORT. Received: {address}."
    )


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
