"""The processes of JAX: they wait for each other and agree by JAX's key-value store.

All make the same calls in the same order. Each writes the name of its call, by its number, so that
processes which run different fits find out, and do not wait for ever.

JAX's own barrier aborts every process when one is lost. Here each process counts up a key of its
own, and those that wait find the one that has stopped counting.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import jax

from kerasft.distribution.ranks import Ranks
from kerasft.errors import LostProcessError, SettingError

_HEARTBEAT = 5.0  # seconds between two counts
TIMEOUT = 30  # seconds without a new count after which a process is lost
_FIRST_STAYS = 1.0  # seconds by which the first process ends after the others
_LONGEST_PAUSE = 0.25  # seconds between two queries
_ALIVE = "kerasft alive"
_END = "end"  # name of the last call of a process
_FAILURES = 3  # of the heartbeat one after another, after which the first process has ended


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
        failures = 0
        for count in itertools.count():
            try:
                self._set(f"{_ALIVE}/{self._ranks.rank}", str(count))
                failures = 0
            except jax.errors.JaxRuntimeError:
                failures += 1
                if failures == _FAILURES:
                    return
            time.sleep(self._heartbeat)

    def wait(self, name: str) -> None:
        """Wait until all processes have called this.

        Raises:
            LostProcessError: One of them has ended.
            SettingError: One of them runs another fit.
        """
        place = self._arrive(name)
        self._until(name, place, lambda: self._all_arrived(place))

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses, which alone calls `choose`.

        Raises:
            LostProcessError: A process has ended.
            SettingError: One of them runs another fit.
        """
        place = self._arrive(name)
        choice = f"{place} choice"
        if not self._ranks.rank:
            self._set(f"{choice}/0", choose())
        self._until(name, place, lambda: bool(self._client.key_value_dir_get(choice)))
        return str(self._client.key_value_dir_get(choice)[0][1])

    def fail(self) -> None:
        """Let the others end: this process has failed, though it may stay alive (a notebook)."""
        if not self._ending:
            self._ending = True
            with contextlib.suppress(jax.errors.JaxRuntimeError):  # the first process has ended
                self._arrive(_END)

    def end_together(self) -> None:
        """Wait at the end of this process for the others; the first one ends last.

        JAX aborts a process that disconnects after the first one has ended.
        """
        if not self._ending:
            self._ending = True
            atexit.register(self._end)

    def _end(self) -> None:
        """Wait for the others, but not for those that are still training."""
        end = time.monotonic() + self._timeout
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # the first process has ended
            place = self._arrive(_END)
            while not self._all_arrived(place) and time.monotonic() < end:
                time.sleep(_LONGEST_PAUSE)
        if not self._ranks.rank:
            time.sleep(_FIRST_STAYS)

    def _arrive(self, name: str) -> str:
        """Return the place of a call, at which the processes write its name."""
        place = f"kerasft call {next(self._counter)}"
        self._set(f"{place}/{self._ranks.rank}", name)
        return place

    def _all_arrived(self, place: str) -> bool:
        return len(self._client.key_value_dir_get(place)) == self._ranks.number

    def _set(self, key: str, value: str) -> None:
        self._client.key_value_set(key, value, allow_overwrite=True)

    def _until(self, name: str, place: str, is_done: Callable[[], bool]) -> None:
        """Wait for a condition while all processes are alive and make the same calls."""
        counts: dict[int, tuple[str | None, float]] = {}
        pause = 0.001
        while True:
            done = is_done()
            self._check_names(name, place)  # then all names that count are there
            if done:
                return
            self._check_alive(counts)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _check_names(self, name: str, place: str) -> None:
        for key, other in self._client.key_value_dir_get(place):
            process = f"process {key.rpartition('/')[2]}"
            if other == _END != name:
                raise LostProcessError(self._ranks.number, f"{process} has ended")
            if other != name:
                raise SettingError(
                    f"Process {self._ranks.rank} is at `{name}`, {process} at `{other}`: they do "
                    "not run the same fit. Start all of them with the same command."
                )

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
