"""Where the processes of JAX wait for each other, in the key-value store that JAX itself starts.

JAX's own barrier ends every process by an abort when one is lost. Here each process counts up a
key of its own, and those that wait say which one has stopped.
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
from kerasft.errors import ResourceError

_BEAT = 5  # seconds between two counts
_SILENCE = 30  # seconds without a new count after which a process is lost
_LEAVE = 1.0  # seconds in which the others take leave of the first process
_LONGEST_PAUSE = 0.25  # seconds between two looks


class Meeting:
    """The key-value store of connected processes; all of them make the same calls in order.

    Args:
        client: JAX's connection to the first process.
        ranks: The processes.
    """

    def __init__(self, client: Any, ranks: Ranks) -> None:
        self._client, self._ranks = client, ranks
        self._counter, self._ending = itertools.count(), False
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        for count in itertools.count():
            try:
                self._set(f"kerasft alive {self._ranks.rank}", str(count))
            except jax.errors.JaxRuntimeError:  # the first process has ended
                return
            time.sleep(_BEAT)

    def wait(self, name: str) -> None:
        """Wait until all processes have called this."""
        place = self._place(name)
        self._set(f"{place}/{self._ranks.rank}", "here")
        self._until(lambda: len(self._client.key_value_dir_get(place)) == self._ranks.number)

    def end_together(self) -> None:
        """Wait for the other processes when this one ends; the first one ends last.

        JAX aborts a process that finds the first one gone when it takes leave.
        """
        if not self._ending:
            self._ending = True
            atexit.register(self._end)

    def _end(self) -> None:
        self.wait("end")
        if not self._ranks.rank:
            time.sleep(_LEAVE)

    def agree(self, name: str, choose: Callable[[], str]) -> str:
        """Return what the first process chooses, which alone calls `choose`."""
        place = self._place(name)
        if not self._ranks.rank:
            self._set(f"{place}/choice", choose())
        found: list[tuple[str, str]] = []

        def is_chosen() -> bool:
            found[:] = self._client.key_value_dir_get(place)
            return bool(found)

        self._until(is_chosen)
        return found[0][1]

    def _place(self, name: str) -> str:
        return f"kerasft {next(self._counter)} {name}"

    def _set(self, key: str, value: str) -> None:
        self._client.key_value_set(key, value, allow_overwrite=True)

    def _until(self, is_done: Callable[[], bool]) -> None:
        """Wait for a condition, and for no process that is lost."""
        counts: dict[int, tuple[str | None, float]] = {}
        pause = 0.001
        while not is_done():
            self._check_alive(counts)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _check_alive(self, counts: dict[int, tuple[str | None, float]]) -> None:
        now = time.monotonic()
        found = dict(self._client.key_value_dir_get("kerasft alive"))
        for rank in range(self._ranks.number):
            count = next((v for key, v in found.items() if key.endswith(f" {rank}")), None)
            before, since = counts.setdefault(rank, (count, now))
            if count != before:
                counts[rank] = count, now
            elif now - since > _SILENCE:
                raise ResourceError(
                    f"Process {rank} of {self._ranks.number} of this fit ended or cannot be "
                    "reached. Start all of them again with --resume."
                )
