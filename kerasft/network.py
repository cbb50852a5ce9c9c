"""Return whether a host can be reached, found out in a second instead of a library's minutes."""

from __future__ import annotations

import os
import socket

from kerasft.errors import NetworkError

SECONDS = 1.0


def require_host(host: str, *, to_fetch: str, instead: str) -> None:
    """Raise NetworkError within about a second when `host` cannot be reached.

    Behind a proxy (HTTPS_PROXY) nothing is tried: only the proxy can tell.

    Args:
        host: Name of the host to be asked, on port 443.
        to_fetch: What would be downloaded, with its size where it is known.
        instead: What to do without a network.

    Raises:
        NetworkError: The host has no address or does not answer.
    """
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return
    error = connection_error(host, 443)
    if error:
        raise NetworkError(
            f"No network: {to_fetch} must be downloaded from {host}, which cannot be reached "
            f"({error}). {instead}"
        )


def connection_error(host: str, port: int) -> str:
    """Return why a host does not answer within about a second, or nothing."""
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        return str(error)
    return ""
