"""The command that resumes a fit, for messages."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import LostProcessError
from kerasft.keras_home import in_backend


def resume_command(path: Path, recipe: Mapping[str, Any], backend: str = "") -> str:
    """Return the command that resumes the fit of a run.

    Args:
        path: Folder of the run.
        recipe: Its recipe, as in the manifest.
        backend: Its backend, by default that of this process.
    """
    return _command(recipe, path.parent.parent, path.name, backend)


def _command(
    recipe: Mapping[str, Any], runs_dir: str | Path, name: str | None, backend: str = ""
) -> str:
    """Return the command that resumes a run, the latest interrupted one without a name."""
    arguments = ["kerasft", "fit", str(recipe.get("source") or recipe["name"]), "--resume"]
    arguments += ["--name", name] if name is not None else []
    arguments += ["--runs-dir", str(runs_dir)] if str(runs_dir) != "runs" else []
    return in_backend(shlex.join(arguments), backend)


def resume_search_command(
    folder: Path, recipe: Mapping[str, Any], workers: Sequence[str] = ()
) -> str:
    """Return the command that continues a search.

    Args:
        folder: Search folder.
        recipe: Its recipe, as in the header of its journal.
        workers: Options of its workers, such as `--workers 2`.
    """
    arguments = ["kerasft", "tune", str(recipe.get("source") or recipe["name"]), "--resume"]
    arguments += ["--name", folder.name]
    searches = folder.parent.parent
    arguments += ["--searches-dir", str(searches)] if str(searches) != "searches" else []
    return in_backend(shlex.join([*arguments, *workers]))


@contextlib.contextmanager
def naming_resume_command(
    recipe: Mapping[str, Any], runs_dir: str | Path, name: str | None
) -> Iterator[None]:
    """Name the command that resumes a fit in the error about a lost process of it.

    Args:
        recipe: Recipe of the fit, as in the manifest.
        runs_dir: Folder of all runs, of the first process.
        name: Name of the run that was asked for.
    """
    try:
        yield
    except LostProcessError as error:
        command = _command(recipe, runs_dir, name)
        raise LostProcessError(error.processes, error.reason, command) from error


def how_to_resume(path: Path, recipe: Mapping[str, Any]) -> str:
    """Return a sentence: how to resume an unfinished run; a trial is resumed by its search."""
    if path.parent.name != recipe["name"]:
        return "Resume it with --resume."
    return f"Resume it: {resume_command(path, recipe)}"
