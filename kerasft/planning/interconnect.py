"""Time of the communication between devices: the model of a ring, and its bandwidths."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

MEASURED = "measured here"
_BYTES = 1 << 24  # sent over the loopback at a time; a hundredth of a second
_SECONDS = 60.0  # to wait for the other side
_TIMES = 20  # the shortest is that of an exchange which other programs did not disturb


@dataclass(frozen=True)
class Link:
    """The slowest connection on the way around all devices.

    Attributes:
        bandwidth: Bytes per second in each direction.
        latency: Seconds until the first byte arrives.
        source: Where the bandwidth is from: `given`, `measured here`, or what it is typical of.
    """

    bandwidth: float
    latency: float
    source: str

    @property
    def measured(self) -> bool:
        """Whether the bandwidth was measured on this machine."""
        return self.source == MEASURED

    def reduce_seconds(self, size: int, devices: int) -> float:
        """Return the time in which all devices sum a gradient, as a ring all-reduce does it.

        Each device sends 2(n-1)/n of the gradient in 2(n-1) messages (Patarasuk and Yuan 2009).

        Args:
            size: Size of the gradient, in bytes.
            devices: Number of devices.
        """
        return sent_bytes(size, devices) / self.bandwidth + 2 * (devices - 1) * self.latency


def sent_bytes(size: int, devices: int) -> float:
    """Return the bytes that each device sends in a step."""
    return 2 * (devices - 1) / devices * size


# Typical of hardware, not of a machine: replaced by `bandwidth` and `device_bandwidth`.
ETHERNET = Link(1.25e9, 50e-6, "typical of 10 Gbit/s Ethernet")
PCI_EXPRESS = Link(25e9, 10e-6, "typical of PCI Express 4.0 x16")


def link_between_hosts(bandwidth: float | None) -> Link:
    """Return the link between hosts.

    Args:
        bandwidth: Bandwidth in GB/s, typical of Ethernet where None.
    """
    return ETHERNET if bandwidth is None else Link(1e9 * bandwidth, ETHERNET.latency, "given")


def link_between_devices(bandwidth: float | None) -> Link:
    """Return the link between the devices of a host.

    Args:
        bandwidth: Bandwidth in GB/s. By default measured between two threads here, or typical of
            PCI Express for GPUs.
    """
    if bandwidth is not None:
        return Link(1e9 * bandwidth, PCI_EXPRESS.latency, "given")
    return PCI_EXPRESS if on_accelerator() else measure_loopback()


def on_accelerator() -> bool:
    """Return whether Keras computes on a GPU or TPU."""
    return any(not name.startswith("cpu") for name in keras.distribution.list_devices())


def measure_loopback() -> Link:
    """Return the link measured between two threads on this machine.

    As in a ring, both sides send, receive and add at the same time over a TCP connection: a plain
    transfer is three times as fast.
    """
    mine, theirs = _connected()
    with mine, theirs, ThreadPoolExecutor(1) as other:
        answering = other.submit(_exchanges, theirs)
        latency, seconds = _exchanges(mine)
        answering.result()
    return Link(_BYTES / (seconds - latency), latency, MEASURED)


def _connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = socket.create_connection(server.getsockname(), _SECONDS)
        theirs = server.accept()[0]
        theirs.settimeout(_SECONDS)
        return mine, theirs


def _exchanges(connection: socket.socket) -> tuple[float, float]:
    """Return the shortest time of an exchange of a single number, and of many."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ThreadPoolExecutor(1) as sender:
        found = [
            min(_exchange(connection, sender, numbers) for _ in range(_TIMES))
            for numbers in (np.ones(1, np.float32), np.ones(_BYTES // 4, np.float32))
        ]
    return found[0], found[1]


def _exchange(connection: socket.socket, sender: ThreadPoolExecutor, numbers: np.ndarray) -> float:
    """Return the time of sending numbers, and of receiving and adding as many."""
    received = np.empty_like(numbers)
    left = received.data.cast("B")
    began = time.perf_counter()
    sending = sender.submit(connection.sendall, numbers.data.cast("B"))
    while left:
        count = connection.recv_into(left)
        if not count:
            raise ConnectionError("the other side has closed the connection")
        left = left[count:]
    received += numbers
    sending.result()
    return time.perf_counter() - began
