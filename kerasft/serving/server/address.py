"""The address of a server; standard library only."""

from __future__ import annotations

import ipaddress
import socket

from kerasft.errors import SettingError


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    Args:
        host: Name or address of this machine.
        port: Port, 0 for a free one.

    Raises:
        SettingError: The port is in use, or the host is empty or not this machine.
    """
    if not host:  # the system would listen on all addresses
        raise SettingError("The host is empty. Give one, such as 127.0.0.1, or 0.0.0.0 for all.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the number of the protocol asyncio does not turn off Nagle's algorithm: 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}. Give another --host "
            "or --port."
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a server that listens on a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Return whether a socket can be reached from this machine only."""
    return names_loopback(listener.getsockname()[0])


def names_loopback(host: str) -> bool:
    """Return whether a host is `localhost` or a loopback address, with or without brackets."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
