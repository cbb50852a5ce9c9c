"""The processes of JAX: they wait for each other and agree by JAX's key-value store.

JAX's own barrier aborts every process when one is lost. Here each process counts up a key of its
own, and those that wait find the one that has stopped counting.
"""

from __future__ import annotations

import atexit
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import jax

from kerasft.distribution.ranks import Ranks
from kerasft.errors import LostProcessError

_HEARTBEAT = 5.0  # seconds between two counts
TIMEOUT = 30  # seconds without a new count after which a process is lost
_FIRST_STAYS = 1.0  # seconds by which the first process ends after the others
_LONGEST_PAUSE = 0.25  # seconds between two queries
_ALIVE = "kerasft alive"


class ProcessGroup:
    """Connected processes; all of them make the same calls in the same order.

    Args:
        client: JAX's connection to the store of the first process.
        ranks: The processes.
        heartbeat: Seconds between two counts.
        timeout: Seconds without a new count after which a process is lost.
    """

    def __init__(
        self, client: Any, ranks: Ranks, *, heartbeat: float = _HEARTBEAT, timeout: float = TIMEOUT
    ) -> None:
        self._client, self._ranks = client, ranks
        self._heartbeat, self._timeout = heartbeat, timeout
        self._counter, self._ending = itertools.count(), False
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        for count in itertools.count():
            try:
                self._set(f"{_ALIVE}/{self._ranks.rank}", str(count))
            except jax.errors.JaxRuntimeError:  # the first process has ended
                return
            time.sleep(self._heartbeat)

    def wait(self, name: str) -> None:
        """Wait until all processes have called this.

        Raises:
            LostProcessError: One of them has ended.
        """
        place = self._arrive(name)
        self._until(lambda: self._all_arrived(place))

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses, which alone calls `choose`.

        Raises:
            LostProcessError: A process has ended.
        """
        place = self._place(name)
        if not self._ranks.rank:
            self._set(f"{place}/choice", choose())
        self._until(lambda: bool(self._client.key_value_dir_get(place)))
        return str(self._client.key_value_dir_get(place)[0][1])

    def end_together(self) -> None:
        """Wait at the end of this process for the others; the first one ends last.

        JAX aborts a process that disconnects after the first one has ended.
        """
        if not self._ending:
            self._ending = True
            atexit.register(self._end)

    def _end(self) -> None:
        """Wait for the others, but not for those that are still training."""
        place = self._arrive("end")
        end = time.monotonic() + self._timeout
        while not self._all_arrived(place) and time.monotonic() < end:
            time.sleep(_LONGEST_PAUSE)
        if not self._ranks.rank:
            time.sleep(_FIRST_STAYS)

    def _place(self, name: str) -> str:
        return f"kerasft {next(self._counter)} {name}"

    def _arrive(self, name: str) -> str:
        place = self._place(name)
        self._set(f"{place}/{self._ranks.rank}", "arrived")
        return place

    def _all_arrived(self, place: str) -> bool:
        return len(self._client.key_value_dir_get(place)) == self._ranks.number

    def _set(self, key: str, value: str) -> None:
        self._client.key_value_set(key, value, allow_overwrite=True)

    def _until(self, is_done: Callable[[], bool]) -> None:
        """Wait for a condition while all processes are alive."""
        counts: dict[int, tuple[str | None, float]] = {}
        pause = 0.001
        while not is_done():
            self._check_alive(counts)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _check_alive(self, counts: dict[int, tuple[str | None, float]]) -> None:
        now = time.monotonic()
        found = dict(self._client.key_value_dir_get(_ALIVE))
        for rank in range(self._ranks.number):
            count = found.get(f"{_ALIVE}/{rank}")
            before, since = counts.setdefault(rank, (count, now))
            if count != before:
                counts[rank] = count, now
            elif now - since > self._timeout:
                raise LostProcessError(self._ranks.number, f"process {rank} does not respond")
