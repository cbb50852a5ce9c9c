"""Folders of exported models that appear whole or not at all, under the next free number."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kerasft.errors import ResourceError
from kerasft.paths import numbered_folders

_DAY = 24 * 60 * 60
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield the path of a folder to be made, which is removed if it is still there at the end.

    It is hidden: a server that looks for versions does not see it. Folders that killed exports left
    behind more than a day ago are removed.

    Args:
        parent: Folder of the versions; made if it does not exist, and removed if it stays empty.
        name: What the folder is made for, as a part of its name.

    Raises:
        ResourceError: The disk is full.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_old(parent, f".{name}.")
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
    try:
        with _naming_a_full_disk(parent):
            yield temporary / "content"
    finally:
        shutil.rmtree(temporary)
        with contextlib.suppress(OSError):  # it has other versions, or other exports are at work
            parent.rmdir()


def _remove_old(parent: Path, prefix: str) -> None:
    for path in parent.iterdir():
        if path.name.startswith(prefix):
            # Another export may remove it at the same time.
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _DAY:
                    shutil.rmtree(path)


@contextlib.contextmanager
def _naming_a_full_disk(parent: Path) -> Iterator[None]:
    """Raise ResourceError for the errors of a full disk, of Python and of TensorFlow."""
    reasons = [os.strerror(number) for number in _FULL]
    try:
        yield
    except Exception as error:
        # TensorFlow has the reason in its text alone.
        of_tensorflow = any(reason in str(error) for reason in reasons)
        if getattr(error, "errno", None) in _FULL or of_tensorflow:
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


def _sync(folder: Path) -> None:
    """Wait until all files of a folder are on the disk."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
