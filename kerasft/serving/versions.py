"""Folders of exported models that appear whole or not at all, under the next free number."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasft.errors import ResourceError, SettingError, is_full_disk
from kerasft.paths import numbered_folders
from kerasft.runs.files import file_lock, is_locked

_LOCK = "lock"  # in a temporary folder, held by the export that writes it
_RETRIES = 100
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield the path of a folder to be made, which is removed if it is still there at the end.

    It is hidden: a server that looks for versions does not see it. Folders that killed exports left
    behind are removed: nobody holds their lock.

    Args:
        parent: Folder of the versions; made if it does not exist, and removed if it stays empty,
            with the folders above that were made for it.
        name: What the folder is made for, as a part of its name.

    Raises:
        ResourceError: The disk is full.
    """
    made = [folder for folder in parent.parents if not folder.exists()]
    with contextlib.ExitStack() as lock:
        temporary = _make_temporary(parent, f".{name}.", lock)
        try:
            with _naming_a_full_disk(parent):
                yield temporary / "content"
        finally:
            with _one_at_a_time(parent):  # without its lock it would be taken for abandoned
                shutil.rmtree(temporary)
                with contextlib.suppress(OSError):  # it has other versions or exports at work
                    for folder in (parent, *made):
                        folder.rmdir()


def _make_temporary(parent: Path, prefix: str, lock: contextlib.ExitStack) -> Path:
    """Make and lock a temporary folder, and remove those of killed exports."""
    for _ in range(_RETRIES):
        with contextlib.suppress(FileNotFoundError):  # another export removed the empty parent
            return _try_temporary(parent, prefix, lock)
    return _try_temporary(parent, prefix, lock)


def _try_temporary(parent: Path, prefix: str, lock: contextlib.ExitStack) -> Path:
    with contextlib.suppress(FileExistsError):
        parent.mkdir(parents=True)
    with _one_at_a_time(parent):
        for path in parent.iterdir():
            if path.name.startswith(prefix) and not is_locked(path / _LOCK):
                with contextlib.suppress(PermissionError):  # of another user
                    shutil.rmtree(path)
        temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock.enter_context(file_lock(temporary / _LOCK, f"is exporting to {temporary}."))
        return temporary


@contextlib.contextmanager
def _one_at_a_time(parent: Path) -> Iterator[None]:
    """Wait for other exports that make or remove a temporary folder in a folder."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # NFS locks files, but no folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(handle), parent.stat()):
            raise FileNotFoundError(errno.ENOENT, "another export has replaced it", str(parent))
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _naming_a_full_disk(parent: Path) -> Iterator[None]:
    """Raise ResourceError for the errors of a full disk, of Python and of TensorFlow."""
    try:
        yield
    except Exception as error:
        if is_full_disk(error):
            raise ResourceError(
                f"The export cannot be written to {parent}: the disk is full. Free some disk space."
            ) from error
        raise


def publish(folder: Path, parent: Path, finish: Callable[[int], None]) -> Path:
    """Rename a folder to the next free version number.

    Another process may take the number at the same time: a folder that is not empty is never
    replaced, and the next number is tried.

    Args:
        folder: Folder, complete except for what `finish` writes.
        parent: Folder of the versions.
        finish: Function that writes what names the version.

    Returns:
        Path of the version.
    """
    while True:
        version = 1 + max(numbered_folders(parent), default=0)
        finish(version)
        _sync(folder)
        try:
            return folder.rename(parent / str(version))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise


def publish_once(folder: Path, target: Path) -> Path:
    """Rename a complete folder to a name that no other export has taken; return its path.

    Raises:
        SettingError: The name is taken.
    """
    _sync(folder)
    try:
        return folder.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            check_free(target)
        raise


def check_free(target: Path) -> None:
    """Refuse a path that is taken.

    Raises:
        SettingError: It is taken.
    """
    if target.exists():
        raise SettingError(f"{target} exists already. Give another --name, or delete it.")


def _sync(folder: Path) -> None:
    """Wait until all files of a folder are on the disk."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
