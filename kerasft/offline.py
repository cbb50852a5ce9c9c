"""No network: `--offline`, or KERASFT_OFFLINE=1 in the environment.

The variable reaches child processes, such as those of a search, which import this package too.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import sys
from typing import Any

from kerasft.errors import NetworkError

VARIABLE = "KERASFT_OFFLINE"
# Position of the host or address among the arguments of an audit event of Python's sockets.
_EVENTS = {
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.connect": 1,
    "socket.sendto": 1,
}


class OfflineError(NetworkError, OSError):
    """A refused connection; an OSError too, as libraries expect it of one that fails."""


def is_offline() -> bool:
    """Return whether the network must not be touched."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def go_offline() -> None:
    """Refuse every connection of this process to another machine.

    Child processes that import this package do the same.

    Python's own sockets are watched by an audit hook (PEP 578). Libraries that open connections in
    C, such as TensorFlow for `gs://`, are not; kerasft gives them no such address.
    """
    os.environ.update({VARIABLE: "1", "HF_HUB_OFFLINE": "1"})
    _watch_sockets()


@functools.cache
def _watch_sockets() -> None:
    sys.addaudithook(_refuse_other_machines)  # cannot be removed


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise NetworkError for a connection to another machine."""
    position = _EVENTS.get(event)
    if position is None or not is_offline():
        return
    address = arguments[position]
    # A Unix socket has a path in place of (host, port).
    host = address[0] if isinstance(address, tuple) else address
    if (event.startswith("socket.get") or isinstance(address, tuple)) and not _is_here(host):
        raise OfflineError(
            f"Offline: a connection to {host} was refused. Run without --offline (or "
            f"{VARIABLE}=1) if it is needed."
        )


def _is_here(host: Any) -> bool:
    """Return whether a host is this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return address.is_loopback or address.is_unspecified
