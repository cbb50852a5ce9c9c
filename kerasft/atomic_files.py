"""Atomic writes: a file has its old content or the new one, whenever the process is killed."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from kerasft.errors import ResourceError, SettingError, is_full_disk

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}(\.[^.]*)?")  # names of atomic_path


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; at the end its file replaces `path`.

    If the body raises, the temporary file is removed and `path` is unchanged.

    Raises:
        ResourceError: The disk is full.
        SettingError: No file can be made there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    mode = _make_file(temporary, path)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(mode)  # safetensors replaces the file by a private one, too
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if is_full_disk(error):
            raise _full_disk(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _make_file(temporary: Path, path: Path) -> int:
    """Make the temporary file of a path; return its mode, which the umask decides."""
    try:
        temporary.touch(exist_ok=False)  # `tempfile` makes private files
        return temporary.stat().st_mode
    except OSError as error:
        if is_full_disk(error):
            raise _full_disk(path, error) from error
        raise SettingError(
            f"{path} cannot be written: {error.strerror}. Give a path that can be."
        ) from error


def _full_disk(path: Path, error: OSError) -> ResourceError:
    return ResourceError(f"{path} cannot be written: {error.strerror}. Free some disk space.")


def remove_temporary_files(folder: Path) -> None:
    """Remove what killed processes left of `atomic_path`; no process may write in the folder."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically; undecodable bytes of file names are written as escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
