"""Create, write and delete run folders."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from kerasft.atomic_files import atomic_path, remove_temporary_files, write_text
from kerasft.errors import ResourceError, SettingError, is_full_disk
from kerasft.paths import check_folder_name, new_folder, timestamp_name
from kerasft.runs.files import is_locked, read_json, sha256, write_json
from kerasft.runs.resume_command import how_to_resume
from kerasft.runs.run import FIT_LOCK, RECIPE, Run

_SEALED = (
    "config.json", "labels.json", "history.json", "metrics.json", "worst.json", "confusions.json",
    "dropped.json",
)  # fmt: skip
# What `open_record` writes before the manifest.
_FIRST = {
    FIT_LOCK, "config.json", "labels.json", "dropped.json", RECIPE, "history.json", "history.csv",
}  # fmt: skip


def create_run(runs_dir: str | Path, recipe: str, name: str | None = None) -> Run:
    """Make a new run folder `runs_dir/recipe/name`.

    The folder of a fit that was killed before it wrote its manifest is used again.

    Args:
        runs_dir: Folder of runs.
        recipe: Name of the recipe.
        name: Name of the run; a timestamp by default.

    Raises:
        SettingError: The name is not a plain folder name, or is taken.
    """
    check_name(runs_dir, recipe, name)
    parent = Path(runs_dir) / recipe
    if name is None:
        return Run(new_folder(parent, timestamp_name()))
    try:
        (parent / name).mkdir(parents=True)
    except FileExistsError:  # by a fit that was killed at its start, or meanwhile
        check_name(runs_dir, recipe, name)
    return Run(parent / name)


def check_name(runs_dir: str | Path, recipe: str, name: str | None) -> None:
    """Refuse an invalid or taken name of a new run, before anything is computed.

    Raises:
        SettingError: The name is not a plain folder name, or is taken.
    """
    if name is None:
        return
    check_folder_name(name)
    path = Path(runs_dir) / recipe / name
    if path.is_dir() and was_killed_at_start(path):
        return
    if path.exists() or path.is_symlink():
        run = Run(path)
        fix = f"Give another --name, or delete it: kerasft runs delete {shlex.quote(str(path))}."
        if run.state == "interrupted":
            how = how_to_resume(path, run.manifest["recipe"], run.config["dataset"])
            fix = f"Give another --name. {how}"
        raise SettingError(f"Run {path} already exists. {fix}")


def was_killed_at_start(path: Path) -> bool:
    """Return whether a folder is that of a fit that was killed before it wrote its manifest."""
    return _has_no_manifest(path) and not is_locked(path / FIT_LOCK)


def _has_no_manifest(path: Path) -> bool:
    """Return whether a folder has nothing but what a fit writes before its manifest."""
    return {entry.name for entry in path.iterdir() if not entry.name.startswith(".")} <= _FIRST


def empty_folder(run: Run) -> bool:
    """Remove what a fit that was killed at its start left in a folder; return whether it had any.

    The caller holds the lock of the run.

    Raises:
        SettingError: Another process has fitted in the folder meanwhile.
    """
    if not _has_no_manifest(run.path):
        raise SettingError(f"Run {run.path} already exists. Give another --name, or delete it.")
    before = len(list(run.path.iterdir()))
    for name in _FIRST - {FIT_LOCK}:
        (run.path / name).unlink(missing_ok=True)
    remove_temporary_files(run.path)
    return len(list(run.path.iterdir())) < before


def check_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written, before anything is computed.

    A folder is made in it and removed again: rights alone do not say whether that is possible.

    Raises:
        SettingError: It cannot be made, or not be written to.
        ResourceError: The disk is full.
    """
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            if path.exists() and not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{path} is not a folder")
            if not path.exists():
                path.mkdir()
                made.append(path)
        Path(tempfile.mkdtemp(prefix=".", dir=folder)).rmdir()
    except (OSError, ValueError) as error:  # ValueError: a null byte
        reason = error.strerror if isinstance(error, OSError) else str(error)
        kind = ResourceError if is_full_disk(error) else SettingError
        raise kind(
            f"{str(folder)!r} cannot be written to: {reason}. Give a folder that can be."
        ) from error
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):  # another process uses it already
                path.rmdir()


def delete_run(run: Run) -> None:
    """Delete a run with all its files; of a link to a run, the link alone.

    The manifest is deleted first: after an interrupted deletion the folder is not a run.

    Args:
        run: Run, as `load_run` returns it.
    """
    if run.path.is_symlink():
        run.path.unlink()
        return
    (run.path / "manifest.json").unlink()
    shutil.rmtree(run.path)


def write_history(run: Run, history: list[dict[str, Any]]) -> None:
    """Write the history as history.json and history.csv."""
    write_json(run.path / "history.json", history)
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(run.path / "history.csv", text.getvalue())


def write_record(run: Run, name: str, value: Any) -> None:
    """Write a JSON file of a run; if the manifest has its checksum, the new one.

    Meanwhile, and after an interruption, the manifest has none.
    """
    files = dict(run.manifest.get("files", {}))
    if files.pop(name, None) is None:
        write_json(run.path / name, value)
        return
    write_manifest(run, files=files)
    write_json(run.path / name, value)
    write_manifest(run, files={**files, name: sha256(run.path / name)})


def seal(run: Run) -> None:
    """Record the checksums of the JSON files of a finished run."""
    paths = [run.path / name for name in _SEALED]
    found = {path.name: sha256(path) for path in paths if path.exists()}
    write_manifest(run, files={**run.manifest.get("files", {}), **found})


def write_manifest(run: Run, **changes: Any) -> None:
    """Update entries of the manifest."""
    path = run.path / "manifest.json"
    known = read_json(path) if path.exists() else {}
    write_json(path, {**known, **changes})


def write_recipe(run: Run, source: bytes) -> str:
    """Write the source of the recipe into a run, atomically; return its checksum."""
    path = run.path / RECIPE
    with atomic_path(path) as temporary:
        temporary.write_bytes(source)
    return sha256(path)
