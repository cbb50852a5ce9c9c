"""A search as the workers of a Dask scheduler get it, and what they must have for it."""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError
from kerasft.keras_home import backend
from kerasft.runs.versions import package_versions
from kerasft.tuning.journal import JOURNAL


@dataclass(frozen=True)
class RemoteSearch:
    """What a worker must have to run the trials of a search.

    Attributes:
        key: Name of this search on the scheduler.
        folder: Search folder; the worker may see it or not.
        header: First line of its journal, by which a worker finds out whether it sees it.
        recipe: Description of the recipe (`describe_recipe`).
        recipe_file: Content of a recipe outside of the package.
        seed: Seed of the splits.
        versions: Versions of the process that searches.
    """

    key: str
    folder: Path
    header: bytes
    recipe: Mapping[str, Any]
    recipe_file: bytes | None
    seed: int
    versions: Mapping[str, str]


def installed_versions() -> dict[str, str]:
    """Return what scores depend on, without importing the packages."""
    return {"python": platform.python_version(), "backend": backend(), **package_versions()}


def check_worker(versions: Mapping[str, str]) -> None:
    """Raise SettingError if this worker cannot run trials.

    Args:
        versions: Versions of the process that searches.
    """
    here = f"The Dask worker on {platform.node()}"
    if multiprocessing.current_process().daemon:
        raise SettingError(
            f"{here} may not start processes. Start it with --no-nanny, or with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False in its environment."
        )
    own = installed_versions()
    differ = ", ".join(
        f"{name} {own.get(name, 'missing')} (expected {versions.get(name, 'none')})"
        for name in {**versions, **own}
        if own.get(name) != versions.get(name)
    )
    if differ:
        raise SettingError(f"{here} has {differ}. Install the same versions on all machines.")


def has_search_folder(search: RemoteSearch) -> bool:
    """Return whether this worker sees the search folder."""
    try:
        with open(search.folder / JOURNAL, "rb") as file:
            return file.readline() == search.header
    except OSError:
        return False
