"""JSON files, locks and hashes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from kerasft.atomic_files import write_text
from kerasft.errors import DamagedFileError, SettingError


def open_to_append(path: Path) -> TextIO:
    """Open a UTF-8 file to append to; it is made if it does not exist.

    Raises:
        DamagedFileError: It is not a file, or a symbolic link, which would change another file.
    """
    try:
        return open(path, "a+", encoding="utf-8", opener=_open_no_link)
    except OSError as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            kind = "a symbolic link" if path.is_symlink() else "not a regular file"
            raise DamagedFileError(
                f"{path} is {kind}, but a file is expected. Delete it."
            ) from error
        raise


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN and infinity become null."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return the text of a JSON file; NaN and infinity become null."""
    text = json.dumps(plain_json(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def plain_json(value: Any) -> Any:
    """Return a JSON value: null for NaN and infinity, keys as text."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    return value


def read_json(path: Path, *needed: str) -> dict[str, Any]:
    """Read a JSON file with an object.

    Args:
        path: Path of the file.
        *needed: Names that the object must have.

    Raises:
        DamagedFileError: It is missing, not valid JSON, or not such an object.
    """
    value = _read_json(path)
    if not isinstance(value, dict):
        raise DamagedFileError(f"{path} is damaged: it is {value!r:.60}, not an object.")
    missing = [name for name in needed if name not in value]
    if missing:
        raise DamagedFileError(f"{path} is damaged: it has no {missing[0]!r}.")
    return value


def read_json_rows(path: Path, *needed: str) -> list[dict[str, Any]]:
    """Read a JSON file with a list of objects that have the names in `needed`.

    Raises:
        DamagedFileError: It is missing, not valid JSON, or not such a list.
    """
    value = _read_json(path)
    rows: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(row, dict) and row.keys() >= set(needed) for row in rows):
        names = f" with {', '.join(needed)}" if needed else ""
        raise DamagedFileError(
            f"{path} is damaged: it is {value!r:.60}, not a list of objects{names}."
        )
    return rows


def _read_json(path: Path) -> Any:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise DamagedFileError(f"{path} is damaged: it is not a regular file.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DamagedFileError(f"{path} is missing: the run is incomplete.") from None
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DamagedFileError(f"{path} is damaged: {error}.") from None


@contextlib.contextmanager
def file_lock(path: Path, doing: str) -> Iterator[None]:
    """Lock a file for this process; the system releases it when the process ends.

    Args:
        path: Lock file; the process writes its id into it.
        doing: Rest of the error message: what the other process does, and what to do about it.

    Raises:
        SettingError: Another process holds the lock, or the file system has no locks.
        DamagedFileError: It is not a file.
    """
    with _open_locked(path, doing) as file:
        file.truncate(0)
        with contextlib.suppress(OSError):  # a full disk: the id is for messages only
            os.write(file.fileno(), f"process {os.getpid()}".encode())
        yield


def _open_locked(path: Path, doing: str) -> TextIO:
    """Open and lock a file; one that its owner deleted before it was locked is opened anew."""
    while True:
        with contextlib.ExitStack() as closing:
            file = closing.enter_context(open_to_append(path))
            _lock(file, path, doing)
            with contextlib.suppress(FileNotFoundError):  # deleted
                if os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                    closing.pop_all()
                    return file


def _lock(file: TextIO, path: Path, doing: str) -> None:
    """Lock a file, in a second try if a process merely asks whether it is locked."""
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        raise SettingError(f"Another process{f' ({owner})' if owner else ''} {doing}") from None
    except OSError as error:
        raise SettingError(
            f"{path} cannot be locked: {error.strerror}. Give a folder on a file system with locks."
        ) from error


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file; what is no file has no lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(handle)
    return False


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
