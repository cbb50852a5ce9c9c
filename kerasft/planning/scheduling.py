"""Simulation of a search: a scheduler that hands trials to many workers."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from kerasft.tuning.oracles import hyperband_plan


class Proposals(Protocol):
    """Trials that a search algorithm proposes."""

    def ask(self) -> tuple[int, int] | None:
        """Return the rung and the epochs of the next trial, None while it must wait."""

    def end(self, rung: int) -> None:
        """Report that a trial of a rung has ended."""


class Independent:
    """Trials that do not wait for one another: random search and grid.

    Args:
        trials: Number of trials.
        epochs: Epochs of each.
    """

    def __init__(self, trials: int, epochs: int) -> None:
        self._left, self._epochs = trials, epochs

    def ask(self) -> tuple[int, int] | None:
        """Return the next trial."""
        if not self._left:
            return None
        self._left -= 1
        return 0, self._epochs

    def end(self, rung: int) -> None:
        """Do nothing."""


@dataclass
class _Rung:
    """A rung of a bracket: its size, the epochs that its trials train, and counts."""

    size: int
    epochs: int
    begun: int = 0
    ended: int = 0


class Hyperband:
    """Trials of Hyperband, in the order of KerasTuner's oracle, which a test compares.

    Args:
        max_epochs: Epochs of the highest rung.
        head_epochs: Head-only epochs of every new trial.
        most: Number of trials after which no more are begun.
    """

    def __init__(self, max_epochs: int, head_epochs: int, most: int) -> None:
        self._left = most
        self._brackets = [
            [_Rung(n, until - before + (0 if before else head_epochs)) for n, before, until in each]
            for each in hyperband_plan(max_epochs)
        ]
        self._rungs = [(b, r) for b, rungs in enumerate(self._brackets) for r in range(len(rungs))]

    def ask(self) -> tuple[int, int] | None:
        """Return the next trial: a new one of a bracket, then one that can be continued."""
        if not self._left:
            return None
        for index, (bracket, number) in enumerate(self._rungs):
            rungs = self._brackets[bracket]
            rung = rungs[number]
            if rung.begun < (_ready(rungs[number - 1], rung) if number else rung.size):
                rung.begun += 1
                self._left -= 1
                return index, rung.epochs
        return None

    def end(self, rung: int) -> None:
        """Count a trial that has ended."""
        bracket, number = self._rungs[rung]
        self._brackets[bracket][number].ended += 1


def _ready(below: _Rung, rung: _Rung) -> int:
    """Return how many trials of the rung below can be continued: those that beat enough others."""
    return max(0, below.ended - (below.size - rung.size))


@dataclass(frozen=True)
class Costs:
    """Costs of a trial.

    Attributes:
        seconds_per_epoch: Time of an epoch in each of several trials, of which one is drawn for
            every trial.
        start: Time in which a worker loads the data and builds the model, before its first trial.
        scheduling: Time in which the searching process proposes and records a trial.
    """

    seconds_per_epoch: tuple[float, ...]
    start: float
    scheduling: float


@dataclass(frozen=True)
class Simulated:
    """A simulated search.

    Attributes:
        trials: Number of trials.
        seconds: Time until the last has ended.
        utilization: Share of that time in which the workers train.
    """

    trials: int
    seconds: float
    utilization: float


@dataclass
class _State:
    """A search at a moment: workers that are free, and trials that end."""

    free: int
    now: float = 0.0
    scheduler_free: float = 0.0
    busy: float = 0.0
    begun: int = 0
    running: list[tuple[float, int, int]] = field(default_factory=list)


def simulate(proposals: Proposals, workers: int, costs: Costs, first_epochs: int) -> Simulated:
    """Simulate a search event by event.

    As in the search loop, one trial per worker is handed out, and proposing and recording them
    happens one after another.

    Args:
        proposals: Trials after the first, which has the settings of the recipe.
        workers: Number of workers.
        costs: Costs of a trial.
        first_epochs: Epochs of the first trial.
    """
    state = _State(workers)
    draws = _cycle(costs.seconds_per_epoch)
    next_trial: tuple[int, int] | None = (-1, first_epochs)
    while True:
        while state.free and next_trial is not None:
            rung, epochs = next_trial
            _begin(state, costs, rung, epochs * next(draws), first=state.begun < workers)
            next_trial = proposals.ask() if state.free else None
        if not state.running:
            return Simulated(state.begun, state.now, state.busy / workers / state.now)
        state.now, _, ended = heapq.heappop(state.running)
        state.free += 1
        if ended >= 0:
            proposals.end(ended)
        next_trial = proposals.ask()


def _begin(state: _State, costs: Costs, rung: int, seconds: float, *, first: bool) -> None:
    """Hand a trial to a free worker."""
    state.scheduler_free = max(state.now, state.scheduler_free) + costs.scheduling
    end = state.scheduler_free + (costs.start if first else 0.0) + seconds
    heapq.heappush(state.running, (end, state.begun, rung))
    state.free -= 1
    state.begun += 1
    state.busy += seconds


def _cycle(values: tuple[float, ...]) -> Iterator[float]:
    """Draw values again and again, in a random order that is the same every time."""
    draw = random.Random(0)
    while True:
        yield draw.choice(values)
