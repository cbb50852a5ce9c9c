"""Check within a second that a host can be reached; libraries try for minutes."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from kerasft.errors import NetworkError
from kerasft.offline import VARIABLE, is_offline

SECONDS = 1.0
_PORTS = {"http": 80, "https": 443}


class Download(NamedTuple):
    """A download that is needed and was not made yet.

    Attributes:
        what: Name of what is downloaded, with its size if known.
        host: Name of the host.
        folder: Folder or file that it makes in a cache; empty if there are several.
    """

    what: str
    host: str
    folder: str = ""

    @property
    def instead(self) -> str:
        """A sentence on how to do without it; empty without a folder."""
        return f"Or copy {self.folder} from a machine that has it." if self.folder else ""


def require_host(host: str, *, to_fetch: str, instead: str, port: int = 443) -> None:
    """Raise NetworkError within about a second if `host` cannot be reached.

    Behind a proxy (HTTPS_PROXY) nothing is checked. Offline, nothing is tried.

    Args:
        host: Name of the host.
        to_fetch: Name of the download, with its size if known.
        instead: Advice for work without a network.
        port: Its port.

    Raises:
        NetworkError: The host is unknown or does not answer, or this process is offline.
    """
    if is_offline():
        raise NetworkError(
            f"Offline: {to_fetch} is not on this machine and must be downloaded from {host}. Run "
            f"once without --offline (or {VARIABLE}=1) to fetch it. {instead}"
        )
    if _has_proxy():
        return
    error = connection_error(host, port)
    if error:
        raise NetworkError(
            f"No network: {to_fetch} must be downloaded from {host}, which cannot be reached "
            f"({error}). {instead}"
        )


def require_server(address: str, name: str) -> None:
    """Raise NetworkError within about a second if a server cannot be reached.

    Behind a proxy (HTTPS_PROXY) nothing is checked.

    Args:
        address: Address of the server, such as `https://host:8080`.
        name: Name of its program, for the message.

    Raises:
        NetworkError: The host is unknown or does not answer.
    """
    server = urlsplit(address)
    # Offline, a server on this machine is allowed; a connection to another one is refused.
    if _has_proxy() or not server.hostname:
        return
    error = connection_error(server.hostname, server.port or _PORTS.get(server.scheme, 443))
    if error:
        raise NetworkError(
            f"The {name} server {address} cannot be reached ({error}). Start it, correct its "
            "address, or fit without --track."
        )


def _has_proxy() -> bool:
    return bool(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"))


def connection_error(host: str, port: int) -> str:
    """Return why a host does not answer within about a second, or an empty string."""
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        return str(error)
    return ""
