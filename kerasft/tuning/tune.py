"""`tune`: looks for better settings and leaves a search folder."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_tuner

from kerasft.catalog import load_recipe
from kerasft.config import Config, from_dict, to_dict
from kerasft.errors import NoTrialError, ResumeError, SettingError
from kerasft.insight import plot_search
from kerasft.models import choose_monitor
from kerasft.training.provenance import describe_recipe, describe_weights, precision, versions
from kerasft.tuning.display import Display
from kerasft.tuning.journal import JOURNAL, Journal, differences, locked, read_journal
from kerasft.tuning.oracles import FACTOR, TUNERS, hyperband_plan
from kerasft.tuning.results import Search, load_search
from kerasft.tuning.search import Searcher, trial_folder
from kerasft.tuning.space import describe_space, make_space, possible_values, space_line
from kerasft.tuning.tensorboard import write_hparams
from kerasft.tuning.warm_start import narrowed
from kerasft.tuning.workers import Workers
from kerasft.tuning.workshop import Workshop

MAX_TRIALS = 20  # of random and bayesian, where none is given
# What may be given anew when a search goes on; all else must be as it was.
_FREE = ("versions", "created")


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
    """Looks for better settings of a recipe and records every trial in a search folder.

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
            plan for hyperband and grid.
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
    module = load_recipe(recipe) if isinstance(recipe, str) else recipe
    described = describe_recipe(module)
    asked = {
        "tuner": tuner, "max_epochs": max_epochs, "executions": executions, "seed": seed,
    }  # fmt: skip
    folder = _folder(Path(searches_dir) / described["name"], name, resume)
    before = read_journal(folder) if resume else []
    old = before[0] if before else None
    config = config if config is not None else module.Config()
    given = _given(config, module, held)
    if old is not None:
        asked = {key: old[key] if value is None else value for key, value in asked.items()}
        config = from_dict(module.Config, {**old["config"], **given})
        given = {**old["given"], **given}
        space = space or old["changes"]
    usual = {"tuner": "random", "max_epochs": config.epochs, "executions": 1, "seed": config.seed}
    asked = usual | {key: value for key, value in asked.items() if value is not None}
    _check(asked, max_trials, workers, budget)
    searched = make_space(module, config, held=list(given), changes=space)
    if warm_start is not None:
        searched = narrowed(searched, warm_start)
    elif old is not None and old["warm_start"] is not None:
        searched = narrowed(searched, old["warm_start"])
    monitor, direction = choose_monitor(config)
    workshop = Workshop(module, config.seed)
    with precision(config.precision):
        data = workshop.data(config)
        workshop.model(config, data)  # what no trial could do is told before the first
    header = {
        "recipe": described,
        "config": to_dict(config),
        "given": given,
        "changes": list(space),
        "warm_start": str(warm_start) if warm_start else (old or {}).get("warm_start"),
        "space": describe_space(searched),
        "objective": {"name": monitor, "direction": direction},
        **asked,
        "data": data.fingerprint,
        "validation_examples": len(getattr(data.validation, "y", ())),
        "preset": describe_weights(config)["fingerprint"],
        "versions": versions() | {"keras-tuner": keras_tuner.__version__},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    if old is not None:
        _compare(folder, old, header)
    folder.mkdir(parents=True, exist_ok=True)
    planned = _planned(asked, searched, max_trials)
    display = Display(
        lambda trial: trial_folder(folder, trial),
        {hp.name: getattr(config, hp.name) for hp in searched.space},
        header["objective"],
        planned,
        config.head_epochs if config.trainable_blocks else 0,
        sys.stderr if progress else None,
    )
    with locked(folder):
        if old is None:
            first = Journal(folder)
            first.write("search", **header)
            first.close()
        _announce(display, header, searched, folder, planned)
        searcher = Searcher(
            folder,
            header,
            workshop,
            searched,
            max_trials=planned if asked["tuner"] in ("random", "bayesian") else max_trials,
            deadline=None if budget is None else time.time() + budget,
            display=display,
        )
        searcher.replay(before[1:])
        source = described["source"] or described["name"]
        _run(searcher, Workers(source, workshop, config.seed, workers), display)
    search = load_search(folder)
    if all(trial.state != "completed" for trial in search.trials):
        raise NoTrialError(
            f"No trial of {folder} was completed{_why(search)}. trials.csv in it tells of all."
        )
    trials = search.trials
    plot_search(search.path, search.header, [vars(trial) for trial in trials])
    write_hparams(search.path, monitor, trials)
    return search


def _run(searcher: Searcher, workers: Workers, display: Display) -> None:
    reason = None
    try:
        reason = searcher.run(workers)
        if reason == "budget":
            display.line("budget The time is over; --resume goes on.")
    finally:
        workers.end(now=reason is None)
        searcher.close(reason)


def _given(config: Config, module: ModuleType, held: Sequence[str] | None) -> dict[str, Any]:
    """Returns the settings that are held, with their values."""
    defaults = to_dict(module.Config())
    values = to_dict(config)
    names = [n for n in values if values[n] != defaults[n]] if held is None else held
    return {name: values[name] for name in names}


def _check(
    asked: dict[str, Any], max_trials: int | None, workers: int, budget: float | None
) -> None:
    if asked["tuner"] not in TUNERS:
        raise SettingError(
            f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={asked['tuner']!r}."
        )
    numbers = {**asked, "max_trials": max_trials, "workers": workers, "budget": budget}
    for name, least in (("max_trials", 1), ("max_epochs", 1), ("executions", 1), ("workers", 1),
                        ("seed", 0), ("budget", 0)):  # fmt: skip
        value = numbers[name]
        if value is not None and value < least:
            raise SettingError(f"`{name}` must be at least {least}. Received: {name}={value}.")


def _folder(parent: Path, name: str | None, resume: bool) -> Path:
    if name is not None and (Path(name).name != name or name.startswith(".") or not name):
        raise SettingError(f"`name` must be a plain folder name. Received: name={name!r}.")
    if not resume:
        folder = parent / (name or datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
        if (folder / JOURNAL).exists():
            raise SettingError(
                f"There is already a search {folder}. Go on with it (--resume), or give another "
                "--name."
            )
        return folder
    if name is not None:
        return load_search(parent / name).path
    known = sorted(parent.glob(f"*/{JOURNAL}"), key=lambda path: path.stat().st_mtime)
    if not known:
        raise SettingError(f"There is no search in {parent} that could go on.")
    return known[-1].parent


def _compare(folder: Path, old: dict[str, Any], header: dict[str, Any]) -> None:
    def kept(values: dict[str, Any]) -> dict[str, Any]:
        free = (*_FREE, "event", "given", "changes", "warm_start")
        return {key: value for key, value in values.items() if key not in free}

    found = differences(kept(old), kept(header))
    if found:
        raise ResumeError(
            f"{folder} cannot go on: it was another search. {'; '.join(found)}. Give what it had, "
            "or begin a new one under another --name."
        )


def _planned(asked: dict[str, Any], space: Any, max_trials: int | None) -> int | None:
    """Returns how many trials will run, as far as that can be known."""
    if asked["tuner"] in ("random", "bayesian"):
        return max_trials or MAX_TRIALS
    if asked["tuner"] == "hyperband":
        plan = hyperband_plan(asked["max_epochs"])
        total = 1 + sum(trials for bracket in plan for trials, _, _ in bracket)
    else:
        total = 1
        for hp in space.space:
            values = {*hp.values, hp.default} if hasattr(hp, "min_value") else possible_values(hp)
            total *= len(set(values))
    return min(total, max_trials) if max_trials else total


def _announce(
    display: Display, header: dict[str, Any], space: Any, folder: Path, planned: int | None
) -> None:
    objective = header["objective"]
    more = "more is better" if objective["direction"] == "max" else "less is better"
    display.line(f"search {folder}: {header['tuner']}, {planned} trials, seed {header['seed']}")
    display.line(f"goal   {objective['name']} of the best epoch ({more})")
    for hp in space.space:
        display.line(f"space  {space_line(hp)}")
    if header["tuner"] != "hyperband":
        return
    epochs = header["max_epochs"] + display.head_epochs
    for bracket in hyperband_plan(header["max_epochs"]):
        rungs = ", then ".join(f"{n} to epoch {until}" for n, _, until in bracket)
        epochs += sum(n * (until - before) for n, before, until in bracket)
        epochs += bracket[0][0] * display.head_epochs
        display.line(f"plan   {rungs}")
    display.line(f"plan   {epochs} epochs altogether; one trial of {FACTOR} goes on")


def _why(search: Search) -> str:
    reasons = [t.outcome.get("reason") for t in search.trials if t.state == "failed"]
    return f": {reasons[-1]}" if reasons else ""
