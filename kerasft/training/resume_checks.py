"""Resuming an interrupted fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config, ConfigType, changed_settings, from_record, to_dict
from kerasft.data import Data, column_names
from kerasft.errors import ResumeError, SettingError
from kerasft.runs import Run, file_lock, list_runs, was_killed_at_start
from kerasft.runs.provenance import anchored, recipe_changed, restore_hint, weights_changed
from kerasft.runs.run import FIT_LOCK
from kerasft.setting_declaration import settings

STATE = "state.safetensors"


@contextlib.contextmanager
def training_in(run: Run) -> Iterator[None]:
    """Lock a run while it trains; the operating system releases the lock when the process ends.

    Raises:
        SettingError: Another process trains in this run.
    """
    with file_lock(
        run.path / FIT_LOCK, f"is training in {run.path}. Wait for it, or fit without --resume."
    ):
        try:
            yield
        finally:
            (run.path / FIT_LOCK).unlink(missing_ok=True)


def find_unfinished(runs_dir: str | Path, recipe: str, name: str | None) -> Run:
    """Return the run to resume: the named one, or the latest that was interrupted.

    Args:
        runs_dir: Folder of all runs.
        recipe: Name of the recipe.
        name: Name of the run, or None for the latest.

    Raises:
        SettingError: There is no such run, or it is done.
        ResumeError: It was started on another backend.
    """
    runs = list_runs(runs_dir, recipe)
    if name is None:
        runs = [run for run in runs if run.state in ("running", "interrupted")]
    else:
        runs = [run for run in runs if run.name == name]
    if not runs:
        folder = None if name is None else Path(runs_dir) / recipe / name
        if folder is not None and folder.is_dir() and was_killed_at_start(folder):
            raise SettingError(
                f"{folder} has nothing to resume: its fit was killed before it began to train. "
                "Fit without --resume, which replaces it."
            )
        called = f" called {name}" if name else ""
        raise SettingError(
            f"No interrupted run of {recipe}{called} found in {runs_dir}. List all runs with "
            "`kerasft runs`."
        )
    check_unfinished(runs[-1])
    _check_backend(runs[-1])
    return runs[-1]


def check_unfinished(run: Run) -> None:
    """Refuse to resume a run that is done.

    Raises:
        SettingError: The run is done.
    """
    if run.state == "done":
        raise SettingError(
            f"{run.path} is done. Only interrupted runs can be resumed: fit without --resume."
        )


def _check_backend(run: Run) -> None:
    """Refuse to resume on another backend, whose numbers differ."""
    before, now = run.manifest["versions"].get("backend"), keras.backend.backend()
    if before not in (None, now):  # None: in records of 0.1.0
        raise ResumeError(
            f"{run.path} was started with the backend {before}, not {now}. Resume it with "
            f"KERAS_BACKEND={before}, or fit without --resume."
        )


def original_settings(
    run: Run, kind: type[ConfigType], given: Config | None, fixed: Sequence[str] | None = None
) -> ConfigType:
    """Return the original settings of a run.

    Args:
        run: The run to resume.
        kind: Config class of the recipe.
        given: Settings passed now.
        fixed: Names of settings in which `given` must equal the original, besides those that differ
            from the recipe's defaults. `dataset` stands for all parts of the dataset.

    Raises:
        ResumeError: A setting differs from the original.
    """
    original = from_record(kind, run.config, run.manifest, column_names)
    if given is None:
        return original
    now, then = to_dict(anchored(given)), to_dict(original)
    names = {*(fixed or ()), *changed_settings(given)}
    if "dataset" in names:  # it replaces the whole
        names |= {name for name, item in settings(kind).items() if item.part}
    for name in sorted(names):
        value, before = now[name], then[name]
        if value not in (before, "auto"):  # what was found for auto is in the record
            raise ResumeError(
                f"{run.path} was started with {name}={before}, not {value}. Leave the setting out "
                "to resume, or fit without --resume."
            )
    return original


def check_unchanged(run: Run, recipe: dict[str, Any], config: Config, data: Data) -> None:
    """Refuse to resume with another recipe, preset or data.

    Args:
        run: The run to resume.
        recipe: Present description of the recipe (`describe_recipe`).
        config: Settings of the run.
        data: Data as the recipe loads them now.

    Raises:
        ResumeError: The recipe, the preset or the data changed.
    """
    known = run.manifest
    pairs = {
        "recipe": (recipe_changed(known["recipe"], known["versions"], recipe), False),
        "preset": (weights_changed(known["weights"], config), False),
        "data": (known["data"]["fingerprint"], data.fingerprint),
    }
    for what, (before, now) in pairs.items():
        if before != now:
            raise ResumeError(
                f"The {what} changed since {run.path} was started. Restore it, or fit without "
                f"--resume.{restore_hint(run) if what == 'recipe' else ''}"
            )
