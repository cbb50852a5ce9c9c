"""What a search is before its first trial: settings, space, objective, and where it is kept."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_tuner

from kerasft.config import Config, changed_settings, from_dict, to_dict
from kerasft.errors import ResumeError, SettingError
from kerasft.models import choose_monitor
from kerasft.models.precision import precision
from kerasft.paths import check_folder_name, timestamp_name
from kerasft.runs.provenance import describe_weights, recipe_changed, versions
from kerasft.tuning.journal import JOURNAL, differences
from kerasft.tuning.oracles import TUNERS, hyperband_plan
from kerasft.tuning.results import load_search
from kerasft.tuning.space import contains, describe_space, make_space, possible_values, space_from
from kerasft.tuning.trial_models import TrialModels
from kerasft.tuning.warm_start import narrowed

MAX_TRIALS = 20  # of random and bayesian, where none is given
# Not compared when a search goes on: they do not decide what it is, or are in other entries.
_FREE = ("versions", "created", "event", "given", "changes", "warm_start", "max_trials")
_LEAST = {"max_trials": 1, "max_epochs": 1, "executions": 1, "workers": 1, "seed": 0, "budget": 0}


@dataclass(frozen=True)
class Plan:
    """A search before its first trial.

    Attributes:
        header: All that decides what it is; the first line of its journal.
        config: The settings of trial 0.
        space: What may be changed.
        trial_models: With the data loaded and the first model built.
        notes: Lines that a person should read before.
    """

    header: dict[str, Any]
    config: Config
    space: keras_tuner.HyperParameters
    trial_models: TrialModels
    notes: list[str]

    @property
    def tuner(self) -> str:
        """Whose oracle proposes."""
        return str(self.header["tuner"])


def make_plan(
    module: ModuleType,
    config: Config | None,
    described: Mapping[str, Any],
    asked: Mapping[str, Any],
    *,
    old: Mapping[str, Any] | None,
    space: Sequence[str],
    held: Sequence[str] | None,
    warm_start: str | Path | None,
) -> Plan:
    """Put a search together; what no trial could do is refused here, before the first.

    Args:
        module: The recipe.
        config: The settings of trial 0, or None for the recipe's.
        described: The recipe as a record has it.
        asked: `tuner`, `max_trials`, `max_epochs`, `executions` and `seed`, None where not given.
        old: The header of the search that goes on: what is not given is taken from it.
        space: As `tune` takes them, and so are `held` and `warm_start`.
        held: Names.
        warm_start: A folder.
    """
    config = config if config is not None else module.Config()
    given = _given(config, held)
    if old is not None:
        asked = {key: old.get(key) if value is None else value for key, value in asked.items()}
        config = from_dict(module.Config, {**old["config"], **given})
        given = {**old["given"], **given}
        space, warm_start = space or old["changes"], warm_start or old["warm_start"]
        if config.precision == "auto":  # it was chosen when the search began
            config = replace(config, precision=old["config"]["precision"])
    usual = {
        "tuner": "random", "max_trials": None, "max_epochs": config.epochs, "executions": 1,
        "seed": config.seed,
    }  # fmt: skip
    searched = make_space(module, config, held=list(given), changes=space)
    if warm_start is not None:
        searched = _narrowed(searched, warm_start, old)
    _check_possible(config, asked["tuner"], searched)
    monitor, direction = choose_monitor(config)
    trial_models, config, notes = _open_trial_models(module, config)
    if "precision" in given:
        given["precision"] = config.precision
    data = trial_models.data(config)
    header = {
        "recipe": described,
        "config": to_dict(config),
        "given": given,
        "changes": list(space),
        "warm_start": None if warm_start is None else str(warm_start),
        "space": describe_space(searched),
        "objective": {"name": monitor, "direction": direction},
        **usual,
        **{key: value for key, value in asked.items() if value is not None},
        "data": data.fingerprint,
        "validation_examples": len(getattr(data.validation, "y", ())),
        "preset": describe_weights(config)["fingerprint"],
        "versions": versions() | {"keras-tuner": keras_tuner.__version__},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return Plan(header, config, searched, trial_models, notes)


def _narrowed(
    space: keras_tuner.HyperParameters, source: str | Path, old: Mapping[str, Any] | None
) -> keras_tuner.HyperParameters:
    """Narrow a space; one that was before is taken as it was, whatever its source has become."""
    if old is not None and str(source) == old["warm_start"]:
        return space_from(old["space"])
    return narrowed(space, source)


def _check_possible(config: Config, tuner: str | None, space: keras_tuner.HyperParameters) -> None:
    """Refuse what no trial could do."""
    if isinstance(config.learning_rate, str):
        raise SettingError(
            "`learning_rate` must be a number in a search, which looks for a better one. Received: "
            "auto. Leave it out, or find one first: kerasft find-lr."
        )
    if tuner == "hyperband" and any(hp.name == "epochs" for hp in space.space):
        raise SettingError(
            "`epochs` cannot be searched by hyperband, which gives every trial its epochs itself, "
            "--max-epochs at most: leave it out of the space."
        )
    if tuner == "hyperband" and (
        config.unfreeze_every or any(hp.name == "unfreeze_every" for hp in space.space)
    ):
        raise SettingError(
            "`unfreeze_every` cannot go with hyperband, whose first trials end before the last "
            "block is unfrozen: leave it out, or take another --tuner."
        )


def _given(config: Config, held: Sequence[str] | None) -> dict[str, Any]:
    """Return the settings that are held, with their values."""
    values = to_dict(config)
    return changed_settings(config) if held is None else {name: values[name] for name in held}


def _open_trial_models(module: ModuleType, config: Config) -> tuple[TrialModels, Config, list[str]]:
    """Load the data and builds the first model, in the number format that is to be used.

    Returns the workshop, the settings with that format, and lines about its choice.
    """
    trial_models, notes = TrialModels(module, config.seed), list[str]()
    data = trial_models.data(config)
    config = trial_models.choose_precision(config, data, notes.append)
    with precision(config.precision):
        trial_models.compiled_models(config, data)
    return trial_models, config, notes


def check_numbers(numbers: Mapping[str, Any]) -> None:
    """Refuse a tuner that is not known, and counts and times that are too small.

    Raises:
        SettingError: One of them is not valid.
    """
    if numbers["tuner"] not in (None, *TUNERS):
        raise SettingError(
            f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={numbers['tuner']!r}."
        )
    for name, least in _LEAST.items():
        if numbers[name] is not None and numbers[name] < least:
            raise SettingError(
                f"`{name}` must be at least {least}. Received: {name}={numbers[name]}."
            )


def find_folder(parent: Path, name: str | None, resume: bool) -> Path:
    """Return the folder of a new search, or of the one that goes on.

    Raises:
        SettingError: The name is taken, or there is no such search.
    """
    if name is not None:
        check_folder_name(name)
    if not resume:
        folder = parent / (name or timestamp_name())
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


def compare(folder: Path, old: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Refuse to go on with a search that was another.

    Raises:
        ResumeError: With the list of what differs.
    """
    before = {key: value for key, value in old.items() if key not in _FREE}
    now = {key: value for key, value in header.items() if key not in _FREE}
    if not recipe_changed(old["recipe"], old["versions"], header["recipe"]):
        before["recipe"] = now["recipe"]
    found = differences(before, now)
    if found:
        raise ResumeError(
            f"{folder} cannot go on: it was another search. {'; '.join(found)}. Give what it had, "
            "or begin a new one under another --name."
        )


def count_trials(plan: Plan) -> int:
    """Return how many trials will run at most."""
    max_trials = plan.header["max_trials"]
    if plan.tuner in ("random", "bayesian"):
        return max_trials or MAX_TRIALS
    total = 1
    if plan.tuner == "hyperband":
        brackets = hyperband_plan(plan.header["max_epochs"])
        total += sum(trials for bracket in brackets for trials, _, _ in bracket)
    else:
        for hp in plan.space.space:
            values = {*hp.values, hp.default} if hasattr(hp, "min_value") else possible_values(hp)
            total *= len(set(values))
        inside = all(contains(hp, plan.header["config"][hp.name]) for hp in plan.space.space)
        total += not inside  # trial 0 is none of the grid
    return min(total, max_trials) if max_trials else total
