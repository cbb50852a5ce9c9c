"""Large arrays, in memory or in files."""

from __future__ import annotations

import contextlib
import contextvars
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerasft.control_groups import free_group_memory, named_numbers
from kerasft.errors import ResourceError, SettingError

_SHARE = 0.25  # of free memory; data that need more are mapped from files
_folder = contextvars.ContextVar[Path | None]("folder of new arrays", default=None)


@contextlib.contextmanager
def in_files(folder: Path) -> Iterator[None]:
    """Map the arrays that the body allocates from .npy files in a folder, named by their order."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def allocate(shape: tuple[int, ...], dtype: np.dtype, what: str, advice: str) -> np.ndarray:
    """Return an uninitialized array, in memory or mapped from a file.

    Inside `in_files` it is a file that stays. Elsewhere an array that needs more than a quarter of
    the free memory is mapped from a temporary file. That is unlinked at once: its space is freed
    with the array, even if the process is killed.

    Args:
        shape: Shape of the array.
        dtype: Dtype of the array.
        what: Noun phrase for the contents, for the error message.
        advice: Imperative clause for the error message, on how to reduce the size.

    Raises:
        ResourceError: Neither memory nor the folder of the file has enough space.
    """
    size, folder = math.prod(shape) * dtype.itemsize, _folder.get()
    if folder is None and size <= memory_limit():
        return np.empty(shape, dtype)
    make_folder(cache_folder())
    try:
        return _temporary(shape, dtype) if folder is None else _in_folder(folder, shape, dtype)
    except OSError as error:
        raise ResourceError(
            f"{cache_folder()} has no space for {size / 1e9:,.1f} GB of {what} "
            f"({error.strerror}): {advice}, or set KERASFT_CACHE to a larger folder."
        ) from error


def cache_folder() -> Path:
    """Return the folder for large arrays: KERASFT_CACHE, or `kerasft` in the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("KERASFT_CACHE") or f"{caches}/kerasft").expanduser()


def make_folder(folder: Path) -> None:
    """Make the cache folder or a folder in it, if it does not exist.

    Raises:
        SettingError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError) and not os.path.lexists(folder):
            make_folder(folder)  # another process had made it, and removed it before Python looked
            return
        raise SettingError(
            f"The folder for data larger than memory, {cache_folder()}, cannot be made: "
            f"{error.strerror}. Set KERASFT_CACHE to another folder."
        ) from error


def _temporary(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    with tempfile.TemporaryFile(prefix="kerasft-", dir=cache_folder()) as file:
        _reserve(file.fileno(), math.prod(shape) * dtype.itemsize)
        return np.memmap(file, dtype, "r+", shape=shape)


def _in_folder(folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    path = folder / f"{len(list(folder.glob('*.npy')))}.npy"
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        _reserve(file.fileno(), path.stat().st_size)
    return array


def _reserve(file: int, size: int) -> None:
    """Give a file its space: writing to a mapped sparse file on a full disk kills the process."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


def memory_limit() -> float:
    """Return the bytes above which data are mapped from files: a quarter of the free memory."""
    return _SHARE * free_memory()


def free_memory() -> int:
    """Return the bytes of memory that this process can get, within its container or its job."""
    machine = named_numbers(Path("/proc/meminfo")).get("MemAvailable:")
    if machine is not None:
        found = machine * 1024
    else:  # not Linux
        names = [n for n in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if n in os.sysconf_names]
        found = os.sysconf(names[0]) * os.sysconf("SC_PAGE_SIZE") if names else 1 << 32
    return int(min(found, free_group_memory()))
