"""Hyperparameter search: `tune` runs trials and records them in a search folder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.catalog import recipe_module
from kerasft.config import Config, changed_settings, with_keywords
from kerasft.display import shows_progress, status
from kerasft.errors import NoTrialError, SettingError
from kerasft.formatting import counted
from kerasft.in_memory import PREFIX
from kerasft.insight import plot_search
from kerasft.paths import new_folder
from kerasft.runs import check_writable, resume_search_command
from kerasft.runs.provenance import describe_recipe
from kerasft.training.fit_record import data_lines
from kerasft.tuning.dask_workers import DaskWorkers, prepared_workers
from kerasft.tuning.journal import begin_journal, locked, read_journal
from kerasft.tuning.oracles import FACTOR, hyperband_plan
from kerasft.tuning.plan import (
    Plan,
    compare,
    count_trials,
    find_folder,
    make_plan,
    read_header,
)
from kerasft.tuning.progress import Expected, SearchProgress
from kerasft.tuning.results import Search, Trial, load_search, trial_folder
from kerasft.tuning.search import Searcher
from kerasft.tuning.search_options import SearchOptions, check_numbers
from kerasft.tuning.space import space_line
from kerasft.tuning.tensorboard import write_hparams
from kerasft.tuning.workers import Workers, check_script


@shows_progress
def tune(  # noqa: PLR0913 (public)
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    tuner: str | None = None,
    max_trials: int | None = None,
    max_epochs: int | None = None,
    budget: float | None = None,
    space: Sequence[str] = (),
    fixed: Sequence[str] | None = None,
    executions: int | None = None,
    seed: int | None = None,
    workers: int = 1,
    scheduler: Any = None,
    warm_start: str | Path | None = None,
    searches_dir: str | Path = "searches",
    name: str | None = None,
    resume: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Search:
    """Search for better settings of a recipe and record every trial in a search folder.

    Trial 0 has the settings of `config`. Every trial stops early by the config's patience; its
    score is `config.monitor` (by default the main metric of the task) at the best epoch. The test
    split is never used. Fit the best settings once more (`search.fit_command`) to measure it.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of trial 0; the recipe's defaults where None. Settings that differ from
            the recipe's defaults are fixed.
        tuner: Search algorithm: `random` (the default), `hyperband`, `bayesian` or `grid`, each
            an oracle of KerasTuner. Hyperband starts many trials with few epochs and continues
            the best third for three times the epochs, with their weights, optimizer and early
            stopping; the learning-rate schedule is laid out for the epochs of the present rung.
        max_trials: Number of trials, trial 0 included. 20 for random and bayesian, the whole
            plan for hyperband and grid; a resumed search keeps its number.
        max_epochs: Epochs of a trial's main phase, config.epochs by default.
        budget: Seconds after which no epoch is started. No trial is started that would exceed it.
        space: Dimensions that replace or extend those of the recipe, as for `make_space`:
            `learning_rate=1e-5..1e-2:log`, `dropout=0,0.1,0.3`.
        fixed: Names of fixed settings; by default those that differ from the defaults.
        executions: Trainings of each trial, with different seeds of model and order; the score is
            their mean. 1 by default.
        seed: Seed of the proposals; config.seed by default.
        workers: Number of trials at the same time, each in a process of its own and, with several
            GPUs, on a GPU of its own.
        scheduler: Dask scheduler whose workers run the trials, instead of `workers`: its address
            (`tcp://host:8786`), `local:4` for 4 workers on this machine, or a
            `distributed.Client`. Needs the extra `dask`.
        warm_start: Folder of a search or run; the space is narrowed around its best settings.
        searches_dir: Folder of all searches.
        name: Name of the search folder; a timestamp by default.
        resume: Whether to resume the search `name`, or the recipe's latest. Finished trials are
            not repeated; an interrupted one resumes from its last finished epoch.
        progress: Whether to write progress to stderr.
        **settings: Settings by name, which replace those of `config` and are fixed. `seed` is the
            seed of the proposals: set that of the config in `config`.

    Returns:
        The search, with its trials, the best one, and the command that fits it.

    Raises:
        SettingError: A setting or a dimension is unknown or not valid, or another process runs the
            search.
        ResumeError: The search to resume differs; the message lists the differences.
        NoTrialError: No trial was completed.
        DataError, NetworkError, ResourceError: They stop the search at once.

    Example:
        >>> search = kerasft.tune("resnet_digits", tuner="random", max_trials=6)
        >>> search.best.values
        >>> kerasft.fit("resnet_digits", **search.best_settings)
    """
    module = recipe_module(recipe)
    described = describe_recipe(module)
    config = with_keywords(module.Config, config, settings, signature(tune).parameters)
    if settings:
        fixed = [*(changed_settings(config) if fixed is None else fixed), *settings]
    _check_workers(workers, scheduler, config)
    options = SearchOptions(
        tuner, max_trials, max_epochs, executions, seed, space, fixed, warm_start
    )
    check_numbers({**options.header(), "workers": workers, "budget": budget})
    folder = find_folder(Path(searches_dir) / described["name"], name, resume)
    check_writable(folder if resume else folder.parent)
    with contextlib.ExitStack() as lock:
        client = lock.enter_context(prepared_workers(scheduler))
        if resume:  # before the journal is read: planning takes time
            lock.enter_context(locked(folder))
        before = read_journal(folder) if resume else []
        old = read_header(module, before[0]) if before else None
        plan = make_plan(module, config, described, options, old)
        if old is not None:
            compare(folder, old, plan.header)
        if not resume:  # after the plan: settings that are refused leave no folder
            folder = lock.enter_context(_new_folder(folder, named=name is not None))
        searcher = _open_searcher(folder, plan, before, budget)
        _run(searcher, _to_start(plan, folder, client, workers))
    return _finish(load_search(folder))


@contextlib.contextmanager
def _new_folder(folder: Path, *, named: bool) -> Iterator[Path]:
    """Make the folder of a new search and lock it; one without a name gets one that is free."""
    if named:
        folder.mkdir(parents=True, exist_ok=True)
    else:
        folder = new_folder(folder.parent, folder.name)
    with locked(folder):
        find_folder(folder.parent, folder.name, False)  # it may have been taken meanwhile
        yield folder


def _open_searcher(
    folder: Path, plan: Plan, before: list[dict[str, Any]], budget: float | None
) -> Searcher:
    """Return the searcher of a locked folder, with the events before it replayed.

    Args:
        folder: Search folder.
        plan: Plan of the search.
        before: Events of the journal, empty for a new search.
        budget: Seconds after which no epoch is started.
    """
    if not before:
        begin_journal(folder, plan.header)
    planned = count_trials(plan)
    shown = _progress(plan, folder, planned)
    _announce(shown, plan, folder, planned)
    by_number = plan.tuner in ("random", "bayesian")
    searcher = Searcher(
        folder, plan,
        max_trials=planned if by_number else plan.header["max_trials"],
        deadline=None if budget is None else time.time() + budget,
        progress=shown,
    )  # fmt: skip
    searcher.replay(before[1:])
    return searcher


def _check_workers(workers: int, scheduler: Any, config: Config) -> None:
    """Refuse both engines at once, and what other processes could not have or would run again."""
    if workers > 1 and scheduler is not None:
        raise SettingError("`workers` and `scheduler` cannot be combined: give one of them.")
    if (workers > 1 or scheduler is not None) and config.dataset.source.startswith(PREFIX):
        raise SettingError(
            f"`{'workers' if workers > 1 else 'scheduler'}` cannot be combined with a dataset in "
            "memory, which other processes do not have. Save the dataset to a file, or leave the "
            "setting out."
        )
    if workers > 1 or str(scheduler).startswith("local:"):
        check_script()


def _finish(search: Search) -> Search:
    """Draw the charts of a search with a completed trial, and return it."""
    trials, name = search.trials, search.header["objective"]["name"]
    if all(trial.state != "completed" for trial in trials):
        raise NoTrialError(
            f"No trial of {search.path} was completed{_why(trials)}. Its trials.csv lists them all."
        )
    status("drawing the charts")
    plot_search(search.path, search.header, [vars(trial) for trial in trials])
    write_hparams(search.path, name, trials)
    return search


def _progress(plan: Plan, folder: Path, planned: int) -> SearchProgress:
    heads = plan.config.head_epochs
    return SearchProgress(
        lambda trial: trial_folder(folder, trial),
        {hp.name: getattr(plan.config, hp.name) for hp in plan.space.space},
        plan.header["objective"],
        Expected(
            planned,
            None if plan.header["max_trials"] else _hyperband_epochs(plan, heads),
            heads,
        ),
    )


def _hyperband_epochs(plan: Plan, heads: int) -> int | None:
    """Return the epochs of Hyperband's plan and of trial 0, None for other algorithms."""
    if plan.tuner != "hyperband":
        return None
    longest: int = plan.header["max_epochs"]
    return (
        longest
        + heads
        + sum(
            bracket[0][0] * heads + sum(n * (until - before) for n, before, until in bracket)
            for bracket in hyperband_plan(longest)
        )
    )


def _to_start(
    plan: Plan, folder: Path, client: Any, number: int
) -> Callable[[], Workers | DaskWorkers]:
    """Return the function that starts the workers: those of a Dask client, or a number here."""
    recipe, seed = plan.header["recipe"], plan.config.seed
    if client is None:
        return partial(Workers, recipe, plan.trial_models, seed, number)
    return partial(DaskWorkers, recipe, seed, folder, client)


def _run(searcher: Searcher, start: Callable[[], Workers | DaskWorkers]) -> None:
    reason, options = None, list[str]()
    try:
        workers = start()
        options = workers.options
        try:
            with searcher.progress.running(searcher.trials):
                reason = searcher.run(workers)
        finally:
            workers.end(now=reason is None)
            searcher.record_ended(workers)
    finally:
        searcher.close(reason)
        if reason != "done":
            why = "stop  " if reason is None else "budget used up;"
            recipe, dataset = searcher.header["recipe"], searcher.header["config"]["dataset"]
            command = resume_search_command(searcher.folder, recipe, dataset, options)
            searcher.progress.line(f"{why} continue with {command}")


def _announce(shown: SearchProgress, plan: Plan, folder: Path, planned: int) -> None:
    """Log the search, its data, objective, space and plan."""
    header = plan.header
    objective = header["objective"]
    more = "higher is better" if objective["direction"] == "max" else "lower is better"
    trials = counted(planned, "trial")
    shown.line(f"search {folder}: {header['tuner']}, {trials}, seed {header['seed']}")
    for line in (*data_lines(plan.config, plan.trial_models.data(plan.config)), *plan.notes):
        shown.line(shown.display.wording(line))
    shown.line(f"goal   {objective['name']} at the best epoch ({more})")
    for hp in plan.space.space:
        shown.line(f"space  {space_line(hp)}")
    if header["tuner"] != "hyperband":
        return
    heads = plan.config.head_epochs
    epochs = _hyperband_epochs(plan, heads)
    for bracket in hyperband_plan(header["max_epochs"]):
        rungs = ", then ".join(f"{n} to epoch {until}" for n, _, until in bracket)
        shown.line(f"plan   {rungs}")
    head_only = f", {heads} of each trial head-only" if heads else ""
    shown.line(f"plan   {epochs} epochs in total{head_only}; one of {FACTOR} trials is continued")
    if header["max_trials"]:
        shown.line(f"plan   ends after {trials} (max_trials)")


def _why(trials: Sequence[Trial]) -> str:
    reasons = [t.outcome.get("reason") for t in trials if t.state == "failed"]
    return f": {reasons[-1]}" if reasons else ""
