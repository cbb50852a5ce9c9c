"""Create, write and delete run folders."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError
from kerasft.paths import check_folder_name, timestamp_name
from kerasft.runs.files import atomic_path, read_json, sha256, write_json, write_text
from kerasft.runs.run import RECIPE, Run

_SEALED = (
    "config.json", "labels.json", "history.json", "metrics.json", "worst.json", "confusions.json",
)  # fmt: skip


def create_run(runs_dir: str | Path, recipe: str, name: str | None = None) -> Run:
    """Make a new run folder `runs_dir/recipe/name`.

    Args:
        runs_dir: Folder of runs.
        recipe: Name of the recipe.
        name: Name of the run; a timestamp by default.

    Raises:
        SettingError: The name is not a plain folder name, or is taken.
    """
    check_name(runs_dir, recipe, name)
    parent = Path(runs_dir) / recipe
    stem = name or timestamp_name()
    for count in range(1, 1000):
        path = parent / (stem if count == 1 else f"{stem}-{count}")
        try:
            path.mkdir(parents=True)
            return Run(path)
        except FileExistsError:
            check_name(runs_dir, recipe, name)
    raise SettingError(f"Too many runs named {stem} in {parent}. Give another --name.")


def check_name(runs_dir: str | Path, recipe: str, name: str | None) -> None:
    """Refuse an invalid or taken name of a new run, before anything is computed.

    Raises:
        SettingError: The name is not a plain folder name, or is taken.
    """
    if name is None:
        return
    check_folder_name(name)
    path = Path(runs_dir) / recipe / name
    if path.exists():
        raise SettingError(f"Run {path} already exists. Give another --name, or delete it.")


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


def write_recipe(run: Run, source: bytes) -> None:
    """Write the source of the recipe into a run, atomically, with its checksum."""
    path = run.path / RECIPE
    with atomic_path(path) as temporary:
        temporary.write_bytes(source)
    write_manifest(run, files={**run.manifest.get("files", {}), RECIPE: sha256(path)})
