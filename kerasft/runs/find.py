"""All runs of a folder, and a run by its folder, RECIPE/NAME, NAME, RECIPE or `latest`."""

from __future__ import annotations

from pathlib import Path

from kerasft.errors import DamagedFileError, SettingError, did_you_mean
from kerasft.paths import numbered_folders
from kerasft.runs.run import Run

_RECORD = "manifest.json"
_SEARCH = "journal.jsonl"  # in the folder of every search
_EXPORTED = ("saved_model.pb", "proof.json")  # one of these is in every exported model
_GRAPHS = (".onnx", ".tflite")
_ELSEWHERE = "Runs of another folder: `runs_dir`."


def load_run(run: Run | str | Path, runs_dir: str | Path = "runs") -> Run:
    """Open a run by its folder or name.

    Args:
        run: Path of a run; RECIPE/NAME below `runs_dir`; NAME if only one run has it; RECIPE
            for its latest run; `latest` for the latest of all. Finished runs are preferred. A Run
            is returned unchanged.
        runs_dir: Folder of runs.

    Raises:
        SettingError: The run was not found, or several have that name.

    Example:
        >>> kerasft.load_run("latest").metrics["test"]["accuracy"]
    """
    return run if isinstance(run, Run) else Run(find_run(run, runs_dir))


def find_run(name: str | Path, runs_dir: str | Path = "runs") -> Path:
    """Return the folder of the run that `load_run` opens."""
    text, folder = str(name), Path(runs_dir)
    if not text:  # as a path it would be the current folder, as a recipe any
        raise SettingError("The name of a run is empty. Give its folder, its name or latest.")
    for path in (Path(name), folder / name):
        if (path / _RECORD).is_file() and not _is_export(path):
            return path
    if text == "latest":
        return _latest(folder, None)
    if Path(text).name == text:
        if (folder / text).is_dir():
            return _latest(folder, text)
        named = [path for path in _known(folder) if path.name == text]
        if len(named) == 1:
            return named[0]
    raise SettingError(_unknown(text, folder))


def find_export(path: str | Path) -> Path | None:
    """Return the folder of the exported model that a path names, None if it names none.

    Args:
        path: Folder of a version, or of a model, of which the highest version is meant; or the
            `.onnx` or `.tflite` file in the folder of a version.
    """
    folder = Path(path)
    if not str(path):
        return None
    if folder.suffix in _GRAPHS and folder.is_file():
        return folder.parent
    numbered = numbered_folders(folder) if folder.is_dir() else {}
    versions = [numbered[number] for number in sorted(numbered, reverse=True)]
    return next((each for each in (folder, *versions) if _is_export(each)), None)


def _is_export(path: Path) -> bool:
    return any((path / name).is_file() for name in _EXPORTED)


def _latest(runs_dir: Path, recipe: str | None) -> Path:
    runs = list_runs(runs_dir, recipe)
    if not runs:
        of_recipe = f" of {recipe}" if recipe else ""
        fit = f"kerasft fit {recipe or 'RECIPE'}"
        raise SettingError(
            f"No runs{of_recipe} found in {_shown(runs_dir)}. Start one: {fit}. {_ELSEWHERE}"
        )
    done = [run for run in runs if run.state == "done"]
    return (done or runs)[-1].path


def _unknown(text: str, runs_dir: Path) -> str:
    path = Path(text)
    if find_export(path) is not None:
        return f"{text} is an exported model, but a run is expected. Name the run."
    if (path / _SEARCH).is_file():
        return (
            f"{text} is a search, but a run is expected. Fit its best settings by the command that "
            "`kerasft tune` printed at its end, or by its option --fit-best."
        )
    if path.is_dir():
        return f"{text} is not a run: it has no {_RECORD}."
    if path.parent != Path() and path.parent.is_dir():  # the folder of another run
        near = did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
        return f"Run {text!r} not found.{near} List runs: kerasft runs."
    known = _known(runs_dir)
    if not known:
        return (
            f"Run {text!r} not found: {_shown(runs_dir)} has no runs. Start one: kerasft fit "
            f"RECIPE. {_ELSEWHERE}"
        )
    same = sorted(path.relative_to(runs_dir).as_posix() for path in known if path.name == text)
    hint = did_you_mean(text, run_names(runs_dir))
    if same:
        return f"Several runs are named {text}: {', '.join(same)}. Give RECIPE/NAME."
    return (
        f"Run {text!r} not found in {_shown(runs_dir)}.{hint} List runs: kerasft runs. {_ELSEWHERE}"
    )


def run_names(runs_dir: str | Path = "runs") -> set[str]:
    """Return the names of the runs below a folder: RECIPE/NAME, RECIPE and NAME of each."""
    names = {path.relative_to(runs_dir).as_posix() for path in _known(Path(runs_dir))}
    return names | {part for name in names for part in name.split("/")}


def _shown(runs_dir: Path) -> str:
    """Return a folder of runs with its whole path."""
    return str(runs_dir) if runs_dir.is_absolute() else f"{runs_dir} ({runs_dir.absolute()})"


def _known(runs_dir: Path) -> list[Path]:
    return [path.parent for path in runs_dir.glob(f"*/*/{_RECORD}")]


def list_runs(runs_dir: str | Path = "runs", recipe: str | None = None) -> list[Run]:
    """Return the runs below `runs_dir`, oldest first.

    Args:
        runs_dir: Folder of runs; empty if it does not exist.
        recipe: Name of a recipe; all recipes by default.
    """
    manifests = Path(runs_dir).glob(f"{recipe or '*'}/*/manifest.json")
    runs = [Run(path.parent) for path in manifests]
    return sorted(runs, key=lambda run: (_created(run), run.name))


def _created(run: Run) -> str:
    """Return the time of creation; empty for damaged runs, which come first."""
    try:
        return str(run.manifest.get("created", ""))
    except DamagedFileError:
        return ""
