"""A fit that goes on after it was interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasft.config import Config, ConfigType, changed_settings, from_dict, to_dict
from kerasft.data import Data
from kerasft.errors import ResumeError, SettingError
from kerasft.runs import Run, file_lock, list_runs
from kerasft.runs.provenance import anchored, describe_weights, recipe_changed

STATE = "state.safetensors"
EVERY = 60.0  # seconds from one state to the next: a short fit writes none
_LOCK = "fit.lock"


@contextlib.contextmanager
def training_in(run: Run) -> Iterator[None]:
    """Keep a run for this process while it trains; the system gives it back when it ends.

    Raises:
        SettingError: Another process trains in this run.
    """
    with file_lock(run.path / _LOCK, f"is training in {run.path}. Wait for it, or begin anew."):
        yield
        (run.path / _LOCK).unlink(missing_ok=True)


def find_unfinished(runs_dir: str | Path, recipe: str, name: str | None) -> Run:
    """Return the run that is to go on: the named one, or the latest that was interrupted.

    Args:
        runs_dir: Where runs are kept.
        recipe: Name of the recipe.
        name: Of the run.

    Raises:
        SettingError: There is none.
    """
    runs = list_runs(runs_dir, recipe)
    if name is None:
        runs = [run for run in runs if run.state in ("running", "interrupted")]
    else:
        runs = [run for run in runs if run.name == name]
    if not runs:
        called = f" called {name}" if name else ""
        raise SettingError(
            f"There is no interrupted run of {recipe}{called} in {runs_dir}. All: kerasft runs."
        )
    if runs[-1].state == "done":
        raise SettingError(f"{runs[-1].path} is done: there is nothing to go on with.")
    return runs[-1]


def begun_settings(run: Run, kind: type[ConfigType], given: Config | None) -> ConfigType:
    """Return the settings that a run was begun with.

    Args:
        run: As `find_unfinished` gives it.
        kind: The recipe's class of settings.
        given: What the user gave now; what it changes must be as it was.

    Raises:
        ResumeError: A setting is not what it was.
    """
    begun = from_dict(kind, run.config)
    now = {} if given is None else to_dict(anchored(given))
    names = set() if given is None else {*changed_settings(given), *given.given}
    for name in sorted(names):
        value = now[name]
        before = getattr(begun, name)
        if value not in (before, "auto"):  # what was found for auto stands in the record
            raise ResumeError(
                f"{run.path} was begun with {name}={before}, not {value}: leave it out to go on, "
                "or begin anew without --resume."
            )
    return begun


def check_unchanged(run: Run, recipe: dict[str, Any], config: Config, data: Data) -> None:
    """Refuse to go on with another recipe, preset or data.

    Args:
        run: As it was begun.
        recipe: As `describe_recipe` gives it now.
        config: The run's settings.
        data: As the recipe loads them now.

    Raises:
        ResumeError: Something is not what it was.
    """
    known = run.manifest
    pairs = {
        "recipe": (recipe_changed(known["recipe"], known["versions"], recipe), False),
        "preset": (known["weights"]["fingerprint"], describe_weights(config)["fingerprint"]),
        "data": (known["data"]["fingerprint"], data.fingerprint),
    }
    for what, (before, now) in pairs.items():
        if before != now:
            raise ResumeError(
                f"The {what} changed since {run.path} was begun: put it back as it was, or begin "
                "anew without --resume."
            )
