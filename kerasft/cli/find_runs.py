"""RUN on the command line: a folder, RECIPE/NAME, a recipe's latest run, or `latest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerasft.errors import SettingError, did_you_mean

_RECORD = "manifest.json"


_RUNS_DIR: dict[str, Any] = {
    "type": click.Path(file_okay=False),
    "default": "runs",
    "show_default": True,
    "metavar": "DIR",
    "help": "Folder of runs",
}
with_runs_dir = click.option("--runs-dir", **_RUNS_DIR)


def runs_dir_option() -> click.Option:
    """Return a new --runs-dir option, as `with_runs_dir` adds it to a function."""
    return click.Option(["--runs-dir"], **_RUNS_DIR)


def find_run(text: str, runs_dir: str) -> Path:
    """Return the folder of the run that an argument names.

    Args:
        text: Path of a run; RECIPE/NAME below `runs_dir`; NAME if only one run has it; RECIPE
            for its latest run; `latest` for the latest of all. Finished runs are preferred.
        runs_dir: Folder of runs.

    Raises:
        SettingError: The run was not found, or several have that name.
    """
    for path in (Path(text), Path(runs_dir) / text):
        if (path / _RECORD).is_file():
            return path
    if text == "latest":
        return _latest(runs_dir, None)
    if Path(text).name == text:
        if (Path(runs_dir) / text).is_dir():
            return _latest(runs_dir, text)
        named = [path for path in _known(runs_dir) if path.name == text]
        if len(named) == 1:
            return named[0]
    raise SettingError(_unknown(text, runs_dir))


def _latest(runs_dir: str, recipe: str | None) -> Path:
    if not any(Path(runs_dir).glob(f"{recipe or '*'}/*/{_RECORD}")):
        of_recipe = f" of {recipe}" if recipe else ""
        fit = f"kerasft fit {recipe or 'RECIPE'}"
        raise SettingError(f"No runs{of_recipe} found in {runs_dir}. Start one: {fit}.")
    import kerasft

    runs = [run for run in kerasft.list_runs(runs_dir) if recipe in (None, run.path.parent.name)]
    done = [run for run in runs if run.state == "done"]
    return Path((done or runs)[-1].path)


def _unknown(text: str, runs_dir: str) -> str:
    if Path(text).is_dir():
        return f"{text} is not a run: it has no {_RECORD}."
    known = _known(runs_dir)
    if not known:
        return f"Run {text} not found, and {runs_dir} has no runs. Start one: kerasft fit RECIPE."
    names = {path.relative_to(runs_dir).as_posix() for path in known}
    same = sorted(path.relative_to(runs_dir).as_posix() for path in known if path.name == text)
    hint = did_you_mean(text, names | {part for name in names for part in name.split("/")})
    if same:
        return f"Several runs are named {text}: {', '.join(same)}. Give RECIPE/NAME."
    return f"Run {text} not found in {runs_dir}.{hint} List runs: kerasft runs."


def _known(runs_dir: str) -> list[Path]:
    return [path.parent for path in Path(runs_dir).glob(f"*/*/{_RECORD}")]
