"""Prepared inputs and frozen features in files of the cache folder, for later fits."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from kerasft.arrays import cache_folder, in_files, make_folder
from kerasft.atomic_files import write_text
from kerasft.display import current, progress, status
from kerasft.errors import SettingError
from kerasft.threads import in_threads

_MANIFEST, _LOCK = "arrays.json", "lock"
_NAME = re.compile("[0-9a-f]{64}")  # of an entry; nothing else in the folder is removed
_PIECE = 1 << 24  # bytes that are hashed at once


def stored_arrays(
    name: str, size: int, limit: float, prepare: Callable[[], Any], *, workers: int = 0
) -> Any:
    """Return arrays mapped from the files of an entry, which are prepared where it has none.

    A process that prepares or checks an entry locks it: others wait and then use its files without
    a check of their own. The manifest is written last: an entry without one was left by a killed
    process. A damaged entry is prepared anew.

    Args:
        name: Name of the entry: a SHA-256 of all that determines the arrays. They are stored as
            they were allocated: a part of an array comes back as the whole.
        size: Bytes that it needs, at most.
        limit: Bytes that all entries may need; the least recently used ones are removed first. A
            larger entry is not kept for later fits.
        prepare: Function that returns an array, or a dict of arrays, made by `allocate`.
        workers: Threads that check the files; 0 for one per core.

    Raises:
        ResourceError: The disk is full.
        SettingError: The folder cannot be made, or its file system has no locks.
    """
    folder = cache_folder() / name
    used = _last_use(folder)
    with _locked(folder):
        found, damage = _load(folder, workers, checked=_last_use(folder) > used)
        if found is not None:
            return found
        if damage:
            current().line(
                f"note   prepared data in {folder} are damaged ({damage}): prepared again"
            )
        return _prepared(folder, size, limit, prepare, workers)


def _prepared(
    folder: Path, size: int, limit: float, prepare: Callable[[], Any], workers: int
) -> Any:
    """Prepare a locked entry; the arguments are those of `stored_arrays`."""
    _empty(folder)
    kept = size <= limit
    _make_room(folder, size, limit if kept else math.inf)
    try:
        with in_files(folder):
            made = prepare()
        if kept:
            _write_manifest(folder, made, workers)
            return _map(folder, _read_manifest(folder))
    except BaseException:
        _empty(folder)
        raise
    _remove_locked(folder)  # the arrays use the unlinked files
    return made


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock an entry; the system releases it when the process ends."""
    while True:
        with _open_lock(folder) as file:
            try:
                _lock(file)
            except OSError as error:
                raise SettingError(
                    f"{folder / _LOCK} cannot be locked: {error.strerror}. Set KERASFT_CACHE to a "
                    "folder on a file system with locks."
                ) from error
            if _is_same(file, folder / _LOCK):
                yield
                return


def _open_lock(folder: Path) -> TextIO:
    """Open the lock file of an entry, whose folder another process may remove in between."""
    while True:
        make_folder(folder)
        try:
            return open(folder / _LOCK, "a+", encoding="ascii")
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise SettingError(
                f"{folder / _LOCK} cannot be written: another user has made it. Set KERASFT_CACHE "
                "to a folder of your own."
            ) from error


def _lock(file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        status("waiting for another process, which prepares or checks the same data")
        fcntl.flock(file, fcntl.LOCK_EX)


def _is_same(file: TextIO, path: Path) -> bool:
    """Return whether an open file still has its path: its entry can be removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _load(folder: Path, workers: int, *, checked: bool) -> tuple[Any, str]:
    """Return the arrays of an entry, None if it has no usable ones, and how they are damaged.

    Args:
        folder: Folder of the entry, locked.
        workers: Threads that check the files.
        checked: Whether another process has just prepared or checked them.
    """
    if not (folder / _MANIFEST).exists():
        return None, ""
    try:
        manifest = _read_manifest(folder)
        arrays = manifest["arrays"].values()
        if checked:
            return _map(folder, manifest), ""
        if all(_digest(folder / each["file"], workers) == each["digest"] for each in arrays):
            found = _map(folder, manifest)
            os.utime(folder / _MANIFEST)  # its last use, after a check
            return found, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"{type(error).__name__}: {error}"
    return None, "checksum mismatch"


def _read_manifest(folder: Path) -> Any:
    return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))


def _map(folder: Path, manifest: Any) -> Any:
    arrays = {
        name: np.load(folder / each["file"], mmap_mode="r", allow_pickle=False)
        for name, each in manifest["arrays"].items()
    }
    return arrays if manifest["named"] else arrays[""]


def _write_manifest(folder: Path, made: Any, workers: int) -> None:
    """Write the manifest of an entry, which completes it."""
    named, arrays = made if isinstance(made, dict) else {"": made}, {}
    for name, array in named.items():
        path = Path(array.filename)
        arrays[name] = {"file": path.name, "digest": _digest(path, workers)}
    manifest = {"named": named is made, "arrays": arrays}
    write_text(folder / _MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _digest(path: Path, workers: int) -> str:
    """Return a hash of a file: of the hashes of its pieces, which threads compute."""
    total, size = hashlib.sha256(), path.stat().st_size
    starts = range(0, size, _PIECE)
    with open(path, "rb") as file, progress("checking prepared data", len(starts)) as bar:

        def digest(start: int) -> bytes:
            return hashlib.sha256(os.pread(file.fileno(), _PIECE, start)).digest()

        for piece in in_threads(digest, starts, workers):
            total.update(piece)
            bar.advance()
    return total.hexdigest()


def array_digest(array: np.ndarray, workers: int = 0) -> str:
    """Return a hash of an array, whether it is in memory or larger than that.

    Args:
        array: The array.
        workers: Number of threads; 0 for one per core.
    """
    rows = max(1, _PIECE // max(1, math.prod(array.shape[1:]) * array.itemsize))
    total = hashlib.sha256(repr((array.shape, str(array.dtype))).encode())

    def digest(start: int) -> bytes:
        return hashlib.sha256(np.ascontiguousarray(array[start : start + rows]).data).digest()

    for piece in in_threads(digest, range(0, len(array), rows), workers):
        total.update(piece)
    return total.hexdigest()


def _empty(folder: Path) -> None:
    """Remove the files of an entry; the manifest first, so that it is never half an entry."""
    (folder / _MANIFEST).unlink(missing_ok=True)
    for path in _files(folder):
        if path.name != _LOCK:
            path.unlink(missing_ok=True)


def _make_room(folder: Path, size: int, limit: float) -> None:
    """Remove the least recently used other entries that leave no room for a new one.

    Arrays of fits that run stay mapped, and their space is free only when those end: so the free
    space is measured again after each removal.
    """
    others = {path: _size(path) for path in sorted(_entries(), key=_last_use) if path != folder}
    used = sum(others.values())
    for path, freed in others.items():
        if used + size <= limit and size <= shutil.disk_usage(folder).free:
            return
        if _remove(path):
            used -= freed


def _entries() -> list[Path]:
    return [path for path in cache_folder().iterdir() if _NAME.fullmatch(path.name)]


def _last_use(folder: Path) -> float:
    """Return the time of the last use of an entry, 0 for an incomplete one."""
    try:
        return (folder / _MANIFEST).stat().st_mtime
    except OSError:
        return 0


def _files(folder: Path) -> list[Path]:
    """Return the files of an entry, none if it is removed in the meantime."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _size(folder: Path) -> int:
    """Return the bytes of an entry, without files that are removed in the meantime."""
    sizes = []
    for path in _files(folder):
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sum(sizes)


def _remove(folder: Path) -> bool:
    """Remove an entry; return whether it is gone. Another process may use it, or another user."""
    ignored = contextlib.suppress(FileNotFoundError, PermissionError)  # removed, or another user's
    with ignored, open(folder / _LOCK, "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not _is_same(file, folder / _LOCK):  # and a third one may fill it
            return False
        _remove_locked(folder)
    return not folder.exists()


def _remove_locked(folder: Path) -> None:
    """Remove an entry that this process has locked; the lock last, so that no other fills it."""
    _empty(folder)
    (folder / _LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another process has made a lock in it
        folder.rmdir()
