"""`tune`: looks for better settings and leaves a search folder."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TextIO

from kerasft.catalog import recipe_module
from kerasft.config import Config
from kerasft.errors import NoTrialError
from kerasft.insight import plot_search
from kerasft.runs.provenance import describe_recipe
from kerasft.training.run_record import data_lines
from kerasft.tuning.display import Display
from kerasft.tuning.journal import Journal, locked, read_journal
from kerasft.tuning.oracles import FACTOR, hyperband_plan
from kerasft.tuning.plan import (
    Plan,
    check_numbers,
    compare,
    count_trials,
    find_folder,
    make_plan,
)
from kerasft.tuning.results import Search, Trial, load_search
from kerasft.tuning.search import Searcher, trial_folder
from kerasft.tuning.space import space_line
from kerasft.tuning.tensorboard import write_hparams
from kerasft.tuning.workers import Workers


def tune(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    tuner: str | None = None,
    max_trials: int | None = None,
    max_epochs: int | None = None,
    budget: float | None = None,
    space: Sequence[str] = (),
    held: Sequence[str] | None = None,
    executions: int | None = None,
    seed: int | None = None,
    workers: int = 1,
    warm_start: str | Path | None = None,
    searches_dir: str | Path = "searches",
    name: str | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Search:
    """Look for better settings of a recipe and records every trial in a search folder.

    Trial 0 is the config itself. Every trial stops early by the config's patience and is judged
    by its best epoch on the validation split, by `config.monitor` (by task: val_accuracy, val_f1,
    val_rmse); the test split is never looked at. The winner is to be fitted once more
    (`search.fit_command`), which measures the test split once.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: The settings of trial 0; the recipe's defaults where None is given. Settings that
            differ from the recipe's defaults are held, not searched.
        tuner: `random` (the default), `hyperband`, `bayesian` or `grid`, each an oracle of
            KerasTuner. Hyperband gives many trials few epochs and lets the best third go on, for
            three times the epochs, with weights, optimizer and early stopping as they were; the
            learning-rate schedule is laid out for the epochs of the rung a trial runs to.
        max_trials: Trials altogether, trial 0 included; 20 for random and bayesian, the whole
            plan for hyperband and grid. A search that goes on keeps the number it had.
        max_epochs: Epochs of a trial's main phase, config.epochs by default.
        budget: Seconds after which no epoch is begun; no trial is begun that would not end.
        space: Dimensions that replace those of the recipe or add to them, as `make_space` reads
            them: `learning_rate=1e-5..1e-2:log`, `dropout=0,0.1,0.3`.
        held: Settings that are not searched; by default those that differ from the defaults.
        executions: How often each trial is trained, with other seeds of model and order; its
            score is the mean. 1 by default.
        seed: Of the proposals; config.seed by default.
        workers: Trials at the same time, each in a process; on a machine with several GPUs each
            has one.
        warm_start: A search or run: the space is narrowed around its best settings.
        searches_dir: Where searches are kept.
        name: Name of the search's folder; the present time by default.
        resume: Goes on with the search `name`, or the recipe's latest: no finished trial is
            repeated, an interrupted one goes on from its last finished epoch.
        progress: Whether to write progress to stderr.

    Returns:
        The search: its trials, the best one, and the line that fits it.

    Raises:
        SettingError: A setting or a dimension is not valid, or another process searches there.
        ResumeError: The search that should go on was another: what differs is listed.
        NoTrialError: No trial was completed.
        DataError, NetworkError, ResourceError: They stop the search at once.

    Example:
        >>> search = kerasft.tune("resnet_digits", tuner="random", max_trials=6)
        >>> search.best.values
        >>> kerasft.fit("resnet_digits", recipe.Config(**search.best_settings))
    """
    module = recipe_module(recipe)
    described = describe_recipe(module)
    asked = {
        "tuner": tuner, "max_trials": max_trials, "max_epochs": max_epochs,
        "executions": executions, "seed": seed,
    }  # fmt: skip
    check_numbers({**asked, "workers": workers, "budget": budget})
    folder = find_folder(Path(searches_dir) / described["name"], name, resume)
    before = read_journal(folder) if resume else []
    plan = make_plan(
        module, config, described, asked,
        old=before[0] if before else None, space=space, held=held, warm_start=warm_start,
    )  # fmt: skip
    if before:
        compare(folder, before[0], plan.header)
    folder.mkdir(parents=True, exist_ok=True)
    planned = count_trials(plan)
    display = _display(plan, folder, planned, sys.stderr if progress else None)
    with locked(folder):
        if not before:
            with contextlib.closing(Journal(folder)) as journal:
                journal.write("search", **plan.header)
        _announce(display, plan, folder, planned)
        counted = plan.tuner in ("random", "bayesian")
        searcher = Searcher(
            folder, plan,
            max_trials=planned if counted else plan.header["max_trials"],
            deadline=None if budget is None else time.time() + budget,
            display=display,
        )  # fmt: skip
        searcher.replay(before[1:])
        _run(searcher, Workers(described, plan.trial_models, plan.config.seed, workers), display)
    return _finish(load_search(folder))


def _finish(search: Search) -> Search:
    """Draw the pictures of a search that has a completed trial."""
    trials, name = search.trials, search.header["objective"]["name"]
    if all(trial.state != "completed" for trial in trials):
        raise NoTrialError(
            f"No trial of {search.path} was completed{_why(trials)}. trials.csv in it tells of all."
        )
    plot_search(search.path, search.header, [vars(trial) for trial in trials])
    write_hparams(search.path, name, trials)
    return search


def _display(plan: Plan, folder: Path, planned: int | None, stream: TextIO | None) -> Display:
    heads = plan.config.head_epochs
    return Display(
        lambda trial: trial_folder(folder, trial),
        {hp.name: getattr(plan.config, hp.name) for hp in plan.space.space},
        plan.header["objective"],
        planned,
        None if plan.header["max_trials"] else _hyperband_epochs(plan, heads),
        heads,
        stream,
    )


def _hyperband_epochs(plan: Plan, heads: int) -> int | None:
    """Return the epochs of Hyperband's whole plan and of trial 0, or None for other tuners."""
    if plan.tuner != "hyperband":
        return None
    longest = plan.header["max_epochs"]
    return (
        longest
        + heads
        + sum(
            bracket[0][0] * heads + sum(n * (until - before) for n, before, until in bracket)
            for bracket in hyperband_plan(longest)
        )
    )


def _run(searcher: Searcher, workers: Workers, display: Display) -> None:
    reason = None
    try:
        reason = searcher.run(workers)
        if reason == "budget":
            display.line("budget The time is over; --resume goes on.")
    finally:
        workers.end(now=reason is None)
        searcher.close(reason)


def _announce(display: Display, plan: Plan, folder: Path, planned: int | None) -> None:
    header = plan.header
    objective = header["objective"]
    more = "more is better" if objective["direction"] == "max" else "less is better"
    trials = "1 trial" if planned == 1 else f"{planned} trials"
    display.line(f"search {folder}: {header['tuner']}, {trials}, seed {header['seed']}")
    for line in data_lines(plan.config, plan.trial_models.data(plan.config)):
        display.line(line)
    for line in plan.notes:
        display.line(line)
    display.line(f"goal   {objective['name']} of the best epoch ({more})")
    for hp in plan.space.space:
        display.line(f"space  {space_line(hp)}")
    if header["tuner"] != "hyperband":
        return
    epochs = _hyperband_epochs(plan, display.head_epochs)
    for bracket in hyperband_plan(header["max_epochs"]):
        rungs = ", then ".join(f"{n} to epoch {until}" for n, _, until in bracket)
        display.line(f"plan   {rungs}")
    heads = f", {display.head_epochs} of each trial for its head" if display.head_epochs else ""
    display.line(f"plan   {epochs} epochs altogether{heads}; one trial of {FACTOR} goes on")
    if header["max_trials"]:
        display.line(f"plan   ends after {trials} (max_trials)")


def _why(trials: Sequence[Trial]) -> str:
    reasons = [t.outcome.get("reason") for t in trials if t.state == "failed"]
    return f": {reasons[-1]}" if reasons else ""
