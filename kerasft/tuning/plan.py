"""The plan of a search: settings, search space, objective and folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_tuner

from kerasft.config import FORMAT, Config, changed_settings, from_dict, from_record, to_dict
from kerasft.data import column_names
from kerasft.errors import DamagedFileError, ResumeError, SettingError
from kerasft.modalities import head_epochs
from kerasft.models import choose_monitor
from kerasft.models.dtype_policy import precision
from kerasft.paths import check_folder_name, timestamp_name
from kerasft.runs.provenance import current_time, describe_weights, recipe_changed, versions
from kerasft.tuning.journal import JOURNAL, TRIALS, differences
from kerasft.tuning.oracles import hyperband_plan
from kerasft.tuning.results import load_search
from kerasft.tuning.search_options import SearchOptions
from kerasft.tuning.space import contains, describe_space, make_space, possible_values, space_from
from kerasft.tuning.trial_models import TrialModels
from kerasft.tuning.warm_start import narrowed

MAX_TRIALS = 20  # default of random and bayesian
# Header entries that may differ when a search is resumed, or are repeated in other entries.
_FREE = ("format", "versions", "created", "event", "given", "changes", "warm_start", "max_trials")


@dataclass(frozen=True)
class Plan:
    """A search before its first trial.

    Attributes:
        header: Everything that defines the search; the first line of its journal.
        config: Settings of trial 0.
        space: Search space.
        trial_models: Shared models, with the data loaded and the first model built.
        notes: Lines to print before the first trial.
    """

    header: dict[str, Any]
    config: Config
    space: keras_tuner.HyperParameters
    trial_models: TrialModels
    notes: list[str]

    @property
    def tuner(self) -> str:
        """Name of the search algorithm."""
        return str(self.header["tuner"])


def make_plan(
    module: ModuleType,
    config: Config,
    described: Mapping[str, Any],
    options: SearchOptions,
    old: Mapping[str, Any] | None,
) -> Plan:
    """Plan a search; settings that would fail in every trial are refused here.

    Args:
        module: A recipe module.
        config: Settings of trial 0.
        described: Description of the recipe (`describe_recipe`).
        options: Options of the search.
        old: Header of the search to resume, None for a new one. It has the options that are not
            passed.

    Raises:
        SettingError: A setting, a dimension or the warm start is not valid.
    """
    given = _given(config, options.fixed)
    asked, space, warm_start = options.header(), options.space, options.warm_start
    if old is not None:
        asked = {key: old.get(key) if value is None else value for key, value in asked.items()}
        config = from_dict(module.Config, {**old["config"], **given})
        given = {**old["given"], **given}
        space, warm_start = space or old["changes"], warm_start or old["warm_start"]
        if config.precision == "auto":  # chosen when the search began
            config = replace(config, precision=old["config"]["precision"])
    defaults = {
        "tuner": "random", "max_trials": None, "max_epochs": config.epochs, "executions": 1,
        "seed": config.seed,
    }  # fmt: skip
    searched = _narrowed(
        make_space(module, config, fixed=list(given), changes=space), warm_start, old
    )
    _check_possible(config, asked["tuner"], searched)
    config = _with_searched_format(_with_head_epochs(config, searched), searched)
    monitor, direction = choose_monitor(config)
    trials = (asked["max_trials"] or MAX_TRIALS) * (asked["executions"] or 1)
    trial_models, config, notes = _open_trial_models(module, config, trials)
    if "precision" in given:
        given["precision"] = config.precision
    header = {
        "format": FORMAT,
        "recipe": described,
        "config": to_dict(config),
        "given": given,
        "changes": list(space),
        "warm_start": None if warm_start is None else str(warm_start),
        "space": describe_space(searched),
        "objective": {"name": monitor, "direction": direction},
        **defaults,
        **{key: value for key, value in asked.items() if value is not None},
        **_provenance(config, trial_models),
    }
    return Plan(header, config, searched, trial_models, notes)


def _provenance(config: Config, trial_models: TrialModels) -> dict[str, Any]:
    """Return the entries of a header that identify the data, the preset and the versions."""
    data = trial_models.data(config)
    return {
        "data": data.fingerprint,
        "validation_examples": len(getattr(data.validation, "y", ())),
        "preset": describe_weights(config)["fingerprint"],
        "versions": versions() | {"keras-tuner": keras_tuner.__version__},
        "created": current_time(),
    }


def read_header(module: ModuleType, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header of a search of any format, with its settings as they are read today."""
    config = from_record(module.Config, header["config"], header, column_names)
    return {**header, "config": to_dict(config)}


def _narrowed(
    space: keras_tuner.HyperParameters, source: str | Path | None, old: Mapping[str, Any] | None
) -> keras_tuner.HyperParameters:
    """Narrow a search space to its warm start; a resumed search keeps its space."""
    if source is None:
        return space
    if old is not None and str(source) == old["warm_start"]:
        return space_from(old["space"])
    return narrowed(space, source)


def _check_possible(config: Config, tuner: str | None, space: keras_tuner.HyperParameters) -> None:
    """Refuse settings that would fail in every trial."""
    if isinstance(config.learning_rate, str):
        raise SettingError(
            "`learning_rate` is auto, but a search needs a number. Leave it out, or find a "
            "learning rate with `kerasft find-lr`."
        )
    if tuner == "hyperband" and any(hp.name == "epochs" for hp in space.space):
        raise SettingError(
            "`epochs` cannot be searched by hyperband, which sets the epochs of every trial, up to "
            "--max-epochs. Leave it out of the search space."
        )
    if tuner == "hyperband" and (
        config.unfreeze_every or any(hp.name == "unfreeze_every" for hp in space.space)
    ):
        raise SettingError(
            "`unfreeze_every` cannot be combined with hyperband, whose first trials end before the "
            "last block is unfrozen. Leave it out, or use another --tuner."
        )


def _given(config: Config, fixed: Sequence[str] | None) -> dict[str, Any]:
    """Return the fixed settings and their values."""
    values = to_dict(config)
    return changed_settings(config) if fixed is None else {name: values[name] for name in fixed}


def _with_head_epochs(config: Config, searched: keras_tuner.HyperParameters) -> Config:
    """Return the settings with the number of head epochs of all trials."""
    number, varied = head_epochs(config), {hp.name for hp in searched.space}
    auto = number != config.head_epochs and "head_epochs" not in varied
    if auto and "head_start" in varied:
        raise SettingError(
            "`head_epochs` is auto, but a search that varies `head_start` needs a number: a random "
            "start with no head phase would lose. Pass --head-epochs 2."
        )
    return replace(config, head_epochs=number)


def _with_searched_format(config: Config, searched: keras_tuner.HyperParameters) -> Config:
    """Return the settings with a number format of the search, if it varies the format."""
    dimension = next((hp for hp in searched.space if hp.name == "precision"), None)
    if dimension is None:
        return config
    if "auto" in possible_values(dimension):
        raise SettingError("`precision` cannot be auto in a search that varies it: name formats.")
    return config if config.precision != "auto" else replace(config, precision=dimension.default)


def _open_trial_models(
    module: ModuleType, config: Config, trials: int
) -> tuple[TrialModels, Config, list[str]]:
    """Load the data and build the first model, in the number format of the search.

    Returns the shared models, the settings with that format, and lines about its choice.
    """
    trial_models, notes = TrialModels(module, config.seed), list[str]()
    data = trial_models.data(config)
    config = trial_models.choose_precision(config, data, notes.append, trials)
    with precision(config.precision):
        trial_models.compiled_models(config, data)
    return trial_models, config, notes


def find_folder(parent: Path, name: str | None, resume: bool) -> Path:
    """Return the folder of a new search, or of the search to resume.

    Raises:
        SettingError: The name is taken or not valid, or there is no search to resume.
        DamagedFileError: The folder has trials whose journal is missing.
    """
    if name is not None:
        check_folder_name(name)
    if not resume:
        if name is None:
            return parent / timestamp_name()
        folder = parent / name
        if (folder / JOURNAL).exists():
            raise SettingError(
                f"Search {folder} exists already. Resume it (--resume), or pass another --name."
            )
        if (folder / TRIALS).exists():
            raise DamagedFileError(
                f"{folder / JOURNAL} is missing, but there are trials. Restore it, or pass another "
                "--name."
            )
        return folder
    if name is not None:
        return load_search(parent / name).path
    known = sorted(parent.glob(f"*/{JOURNAL}"), key=lambda path: path.stat().st_mtime)
    if not known:
        raise SettingError(f"No search to resume found in {parent}. Start one without --resume.")
    return known[-1].parent


def compare(folder: Path, old: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Refuse to resume a search with other settings, recipe, preset or data.

    Raises:
        ResumeError: The headers differ; the message lists the differences.
    """
    before = {key: value for key, value in old.items() if key not in _FREE}
    now = {key: value for key, value in header.items() if key not in _FREE}
    if not recipe_changed(old["recipe"], old["versions"], header["recipe"]):
        before["recipe"] = now["recipe"]
    found = differences(before, now)
    if found:
        raise ResumeError(
            f"{folder} cannot be resumed, as it differs: {'; '.join(found)}. Pass the values it "
            "had, or start a search under another --name."
        )


def count_trials(plan: Plan) -> int:
    """Return the largest number of trials of a search."""
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
        total += not inside  # trial 0 is not on the grid
    return min(total, max_trials) if max_trials else total
