"""Latency and throughput of a model that answers raw inputs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasft.data import Examples
from kerasft.display import Activity, showing

WARM_UP = 3  # calls before the first that is timed
MAX_CALLS = 200  # timed calls
_MIN_CALLS = 10
_SECONDS = 10.0  # after which no further call is timed


def measure_latency(
    decide: Callable[[Examples], Any], examples: Examples, batch_size: int, bar: Activity
) -> dict[str, float]:
    """Time the answers to batches of raw inputs in memory, the examples in turn.

    Args:
        decide: Function from examples to answers.
        examples: Examples, at least one.
        batch_size: Examples of one call; they repeat where there are fewer.
        bar: Progress, advanced by `WARM_UP` and `MAX_CALLS` calls.

    Returns:
        `p50` and `p99` in milliseconds, `per_second` (examples), and `calls`. At least 10 and at
        most 200 calls are timed, for 10 s.
    """
    indices = itertools.cycle(range(len(examples)))

    def call() -> float:
        batch = examples.select(itertools.islice(indices, batch_size))
        began = time.perf_counter()
        with showing(False):  # no bars of single calls
            decide(batch)
        passed = time.perf_counter() - began
        bar.advance()
        return passed

    for _ in range(WARM_UP):
        call()
    seconds: list[float] = []
    while len(seconds) < _MIN_CALLS or (len(seconds) < MAX_CALLS and sum(seconds) < _SECONDS):
        seconds.append(call())
    bar.advance(MAX_CALLS - len(seconds))
    return {
        "p50": 1000 * float(np.quantile(seconds, 0.5)),
        "p99": 1000 * float(np.quantile(seconds, 0.99)),
        "per_second": batch_size * len(seconds) / sum(seconds),
        "calls": len(seconds),
    }
