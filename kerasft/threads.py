"""Threads: work on many items in order, cores, and the scheduling policy."""

from __future__ import annotations

import contextlib
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from kerasft.control_groups import group_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # items per thread that are begun before the first result is taken


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 0
) -> Iterator[Result]:
    """Yield what a function returns for every item, in order, computed in threads.

    Unlike `ThreadPoolExecutor.map`, it begins few items ahead, so that millions take no memory.

    Args:
        function: Function that spends its time without the interpreter lock, such as decoding.
        items: Items.
        workers: Number of threads; 0 for one per core.

    Example:
        >>> list(in_threads(len, ["a", "bc"]))
        [1, 2]
    """
    workers = workers or cores()
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > _AHEAD * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def cores() -> int:
    """Return the number of processor cores that this process may use.

    Those that it may run on; fewer if its container or its job has a limit of processor time.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return math.ceil(min(found, group_cores()))


def use_batch_scheduling() -> None:
    """Give this thread, and those that it starts, the scheduling policy SCHED_BATCH of Linux.

    With it a thread that wakes up waits for its turn, and does not interrupt one that computes
    (`man 7 sched`). A policy that somebody has chosen stays; other systems have no such policy.
    """
    if hasattr(os, "SCHED_BATCH") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(PermissionError):  # a sandbox may forbid it: then it is slower
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
