"""Prediction of a search on many workers, from timed steps or from the trials of another search."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.catalog import recipe_module
from kerasft.checks.plan import time_fit
from kerasft.config import Config, to_dict, with_keywords
from kerasft.data import load_recipe_data
from kerasft.display import current, shows_progress, status
from kerasft.errors import SettingError
from kerasft.modalities import head_epochs
from kerasft.planning.ranges import check_counts, check_positive
from kerasft.planning.scheduling import Costs, Hyperband, Independent, Simulated, simulate
from kerasft.planning.worthwhile import doubled, largest_worthwhile
from kerasft.runs.provenance import describe_recipe
from kerasft.seeds import set_seed
from kerasft.tuning.oracles import hyperband_plan
from kerasft.tuning.plan import MAX_TRIALS
from kerasft.tuning.results import Search, load_search

TUNERS = ("random", "hyperband")  # trials of `grid` and `bayesian` are handed out like random ones
# Of a search of 1,000 trials: `python -m tests.benchmarks.search_plan` measures it.
SCHEDULING_SECONDS = 0.04
_GIVEN = "of the given time of a trial"


@dataclass(frozen=True)
class WorkerCount:
    """A search on a number of workers.

    Attributes:
        workers: Number of workers.
        seconds: Time until the last trial has ended.
        utilization: Share of that time in which workers train.
        speedup: Times as fast as one worker.
    """

    workers: int
    seconds: float
    utilization: float
    speedup: float


@dataclass(frozen=True)
class SearchPlan:
    """Prediction of a search on more and more workers.

    Attributes:
        tuner: Search algorithm.
        trials: Number of trials.
        costs: Costs of a trial.
        source: Where the costs are from.
        scales: Predictions, one worker first.
    """

    tuner: str
    trials: int
    costs: Costs
    source: str
    scales: tuple[WorkerCount, ...]

    @property
    def worthwhile(self) -> int:
        """Largest worthwhile number of workers; see `largest_worthwhile`."""
        return largest_worthwhile({each.workers: each.seconds for each in self.scales})

    def __repr__(self) -> str:
        last = self.scales[-1]
        return (
            f"<SearchPlan: {self.trials} trials in {last.seconds:.0f} s on {last.workers} workers>"
        )


@shows_progress
def plan_search(  # noqa: PLR0913 (public)
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    workers: int,
    trials: int | None = None,
    tuner: str = "random",
    max_epochs: int | None = None,
    executions: int | None = None,
    measured: str | Path | None = None,
    trial_seconds: float | None = None,
    progress: bool = True,
    **settings: Any,
) -> SearchPlan:
    """Predict the time of a search on many workers by simulating its scheduler.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of trial 0; the recipe's defaults where None.
        workers: Number of workers, each with a device like the one here.
        trials: Number of trials, as `max_trials` of `tune`: 20 by default, the whole plan for
            hyperband.
        tuner: `random` or `hyperband`. Trials of `grid` and `bayesian` are handed out like those of
            `random`.
        max_epochs: Epochs of a trial's main phase, config.epochs by default.
        executions: Trainings of each trial, as in `tune`: by default as many as in `measured`, else
            1.
        measured: Folder of a search of this recipe, or its name in the folder `searches`, whose
            trial times are used. Settings that differ are noted.
        trial_seconds: Time of a trial of all epochs, with all its trainings. By default, and
            without `measured`, a few steps are timed here.
        progress: Whether to write progress to stderr.
        **settings: Settings by name, which replace those of `config`.

    Raises:
        SettingError: A setting or option is unknown or out of range, or `measured` is a search of
            another recipe.
        DataError: The data cannot be read.

    Example:
        >>> plan = kerasft.plan_search("resnet_digits", workers=100, trial_seconds=60)
        >>> plan.worthwhile
    """
    module = recipe_module(recipe)
    config = with_keywords(module.Config, config, settings, signature(plan_search).parameters)
    config = replace(config, head_epochs=head_epochs(config))
    _check_tuner(tuner)
    check_counts(workers=workers, trials=trials, max_epochs=max_epochs, executions=executions)
    check_positive(trial_seconds=trial_seconds)
    _check_combined(trial_seconds, measured=measured, executions=executions)
    longest = max_epochs or config.epochs
    epochs = longest + config.head_epochs
    if trial_seconds is not None:
        costs, source = Costs((trial_seconds / epochs,), 0.0, SCHEDULING_SECONDS), _GIVEN
    elif measured is not None:
        costs, source = _measured_costs(module, config, _find_search(module, measured), executions)
    else:
        costs, source = _timed_costs(module, config, executions or 1), "steps timed here"
    status("simulating the search")
    found = {
        count: _simulated(tuner, trials, longest, config.head_epochs, count, costs)
        for count in doubled(workers)
    }
    scales = tuple(
        WorkerCount(count, one.seconds, one.utilization, found[1].seconds / one.seconds)
        for count, one in found.items()
    )
    return SearchPlan(tuner, found[1].trials, costs, source, scales)


def _check_tuner(tuner: str) -> None:
    if tuner not in TUNERS:
        raise SettingError(
            f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={tuner!r}. Trials of "
            "`grid` and `bayesian` are handed out like those of `random`."
        )


def _simulated(
    tuner: str, trials: int | None, longest: int, heads: int, workers: int, costs: Costs
) -> Simulated:
    """Simulate a search with a number of workers; trial 0 comes before those of the tuner."""
    if tuner == "hyperband":
        planned = sum(n for rungs in hyperband_plan(longest) for n, _, _ in rungs)
        most = planned if trials is None else min(planned, trials - 1)
        return simulate(Hyperband(longest, heads, most), workers, costs, longest + heads)
    count = (MAX_TRIALS if trials is None else trials) - 1
    return simulate(Independent(count, longest + heads), workers, costs, longest + heads)


def _check_combined(trial_seconds: float | None, **others: object) -> None:
    """Refuse options beside the time of a trial, which has all that they change."""
    other = next((name for name, value in others.items() if value is not None), None)
    if trial_seconds is not None and other is not None:
        raise SettingError(
            f"`{other}` and `trial_seconds` cannot be combined: give one of them. The time of a "
            "trial is that of all its trainings."
        )


def _timed_costs(module: ModuleType, config: Config, executions: int) -> Costs:
    """Return the costs of a trial from steps timed here."""
    set_seed(config.seed)
    began = time.monotonic()
    data = load_recipe_data(module, config)
    _, timed = time_fit(module, config, data)
    spent = time.monotonic() - began
    each = sum(phase.seconds for phase in timed.phases) / sum(p.epochs for p in timed.phases)
    return Costs((executions * each,), spent, SCHEDULING_SECONDS)


def _find_search(module: ModuleType, measured: str | Path) -> Search:
    """Return a search by its folder, or by its name where there is no such folder."""
    named = Path("searches", describe_recipe(module)["name"], measured)
    return load_search(named if named.is_dir() and not Path(measured).exists() else measured)


def _measured_costs(
    module: ModuleType, config: Config, search: Search, executions: int | None
) -> tuple[Costs, str]:
    """Return the costs of a trial from a finished search, and how many trials they are from."""
    _compare(module, config, search)
    measured = search.header.get("executions", 1)
    factor = (executions or measured) / measured
    found = tuple(factor * seconds for seconds in _seconds_per_epoch(search))
    if not found:
        raise SettingError(
            f"{search.path} has no completed trial. Name a search with completed trials, or "
            "leave `measured` out."
        )
    return Costs(found, 0.0, SCHEDULING_SECONDS), f"{len(found)} trials of {search.path}"


def _compare(module: ModuleType, config: Config, search: Search) -> None:
    """Refuse a search of another recipe; note what it had otherwise."""
    header, recipe = search.header, describe_recipe(module)
    if header["recipe"]["name"] != recipe["name"]:
        raise SettingError(
            f"{search.path} is a search of {header['recipe']['name']}, not of {recipe['name']}. "
            "Name a search of the same recipe, or give `trial_seconds`."
        )
    searched = {dimension["name"] for dimension in header["space"]}
    before = header["config"]
    differing = [
        name
        for name, value in to_dict(config).items()
        if name not in searched and before.get(name, value) != value
    ]
    if header["recipe"].get("sha256") not in (None, recipe["sha256"]):
        differing.append("the recipe's file")
    if differing:
        current().line(
            f"note   trials of {search.path} differ in {', '.join(differing)}: their times are "
            "used as they are"
        )


def _seconds_per_epoch(search: Search) -> list[float]:
    """Return the time of each completed trial by planned epoch, so early stopping shortens it."""
    trials = {trial.number: trial for trial in search.trials}
    heads = search.header["config"]["head_epochs"]
    found = []
    for trial in trials.values():
        if trial.state == "completed":
            before = trials[trial.continues].epochs if trial.continues is not None else -heads
            found.append(trial.outcome["seconds"] / (trial.epochs - before))
    return found
