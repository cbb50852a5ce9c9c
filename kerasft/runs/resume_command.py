"""The command that resumes a fit or a search, for messages; a call of Python for data in memory."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import LostProcessError
from kerasft.in_memory import PREFIX
from kerasft.keras_home import in_backend


def resume_command(
    path: Path, recipe: Mapping[str, Any], dataset: Any = None, backend: str = ""
) -> str:
    """Return the command that resumes the fit of a run.

    Args:
        path: Folder of the run.
        recipe: Its recipe, as in the manifest.
        dataset: Its dataset, as in the recorded settings.
        backend: Its backend, by default that of this process.
    """
    return _of_fit(recipe, path.parent.parent, path.name, dataset, backend)


def resume_search_command(
    folder: Path, recipe: Mapping[str, Any], dataset: Any = None, workers: Sequence[str] = ()
) -> str:
    """Return the command that continues a search.

    Args:
        folder: Search folder.
        recipe: Its recipe, as in the header of its journal.
        dataset: Its dataset, as in the recorded settings.
        workers: Options of its workers, such as `--workers 2`.
    """
    given = {"name": folder.name, "searches_dir": _unless(folder.parent.parent, "searches")}
    if _is_in_memory(dataset):
        return _call("tune", recipe, given)
    return in_backend(f"{_command('tune', recipe, given)} {shlex.join(workers)}".rstrip())


def _of_fit(
    recipe: Mapping[str, Any], runs_dir: str | Path, name: str | None, dataset: Any, backend: str
) -> str:
    """Return the command that resumes a run, the latest interrupted one without a name."""
    given = {"name": name, "runs_dir": _unless(runs_dir, "runs")}
    if _is_in_memory(dataset):
        return _call("fit", recipe, given)
    return in_backend(_command("fit", recipe, given), backend)


def _unless(folder: str | Path, default: str) -> str | None:
    return None if str(folder) == default else str(folder)


def _is_in_memory(dataset: Any) -> bool:
    """Return whether a dataset was given in memory, which no command can name."""
    source = dataset.get("source") if isinstance(dataset, Mapping) else dataset
    return str(source).startswith(PREFIX)


def _source(recipe: Mapping[str, Any]) -> str:
    return str(recipe.get("source") or recipe["name"])


def _command(action: str, recipe: Mapping[str, Any], given: Mapping[str, str | None]) -> str:
    arguments = ["kerasft", action, _source(recipe), "--resume"]
    for name, value in given.items():
        arguments += [f"--{name.replace('_', '-')}", value] if value is not None else []
    return shlex.join(arguments)


def _call(action: str, recipe: Mapping[str, Any], given: Mapping[str, str | None]) -> str:
    arguments = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    table = "dataset=TABLE"  # the same rows
    return f"kerasft.{action}({', '.join([repr(_source(recipe)), table, *arguments])}, resume=True)"


@contextlib.contextmanager
def naming_resume_command(
    recipe: Mapping[str, Any], runs_dir: str | Path, name: str | None, dataset: Any = None
) -> Iterator[None]:
    """Name the command that resumes a fit in the error about a lost process of it.

    Args:
        recipe: Recipe of the fit, as in the manifest.
        runs_dir: Folder of all runs, of the first process.
        name: Name of the run that was asked for.
        dataset: Dataset of the fit.
    """
    try:
        yield
    except LostProcessError as error:
        command = _of_fit(recipe, runs_dir, name, dataset, "")
        raise LostProcessError(error.processes, error.reason, command) from error


def how_to_resume(path: Path, recipe: Mapping[str, Any], dataset: Any) -> str:
    """Return a sentence: how to resume an unfinished run; a trial is resumed by its search."""
    if path.parent.name != recipe["name"]:
        return "Resume it with --resume."
    return f"Resume it: {resume_command(path, recipe, dataset)}"
