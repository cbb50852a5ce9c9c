"""Paths and folder names as a user writes them; standard library only."""

from __future__ import annotations

import contextlib
import datetime
import os
from pathlib import Path

from kerasft.errors import SettingError

_LONGEST_NAME = 200  # bytes; a file system allows 255, and temporary names are longer


def check_folder_name(name: str) -> None:
    """Refuse a name that is not that of a single visible folder.

    Raises:
        SettingError: The name is empty, too long, has a path separator or a control character, or
            begins with a dot.
    """
    plain = Path(name).name == name and name.isprintable() and not name.startswith(".")
    if not name or not plain:
        raise SettingError(f"`name` must be a plain folder name. Received: name={name!r}.")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise SettingError(
            f"`name` must have at most {_LONGEST_NAME} bytes. Received: {len(os.fsencode(name))} "
            f"bytes, name={name[:20]!r}..."
        )


def numbered_folders(parent: Path) -> dict[int, Path]:
    """Return the versions in a folder: its subfolders whose name is a number, by that number."""
    return {
        int(path.name): path
        for path in parent.iterdir()
        if path.name.isascii() and path.name.isdigit() and path.is_dir()
    }


def timestamp_name() -> str:
    """Return the local time as a folder name: `2026-01-31_12-00-00`."""
    return datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def new_folder(parent: Path, stem: str) -> Path:
    """Make a folder under the first name that is not taken: `stem`, `stem-2`, `stem-3`, ...

    Raises:
        SettingError: A thousand names are taken.
    """
    for count in range(1, 1000):
        path = parent / (stem if count == 1 else f"{stem}-{count}")
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            return path
    raise SettingError(f"Too many folders named {stem} in {parent}. Give another --name.")


def expanded(path: str | Path) -> Path:
    """Return a path with ~ expanded; unchanged if the user of ~NAME is unknown.

    Args:
        path: Path as given; it may also be a text or a file name that begins with ~.

    Example:
        >>> expanded("~20 items are missing")
        PosixPath('~20 items are missing')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def whole(path: str | Path) -> Path:
    """Return the absolute path of what exists, with ~ expanded and without `..`.

    `..` stays behind a symbolic link, where the path without it would be another.
    """
    absolute = expanded(path).absolute()
    plain = Path(os.path.normpath(absolute))
    there = absolute.exists() and plain.exists()
    return plain if there and plain.samefile(absolute) else absolute


def shortest(path: str | Path) -> str:
    """Return a path relative to the current folder if that is shorter.

    Example:
        >>> shortest("/data/photos")  # in /data
        'photos'
    """
    return min(str(path), os.path.relpath(path), key=len)


def file_name(path: Path, origin: str) -> str:
    """Return the name of an example's file in messages: its path, and its row in a table.

    Args:
        path: Path of the file.
        origin: Name of the example: its row, or a part of the path.

    Example:
        >>> file_name(Path("photos/cat/1.jpg"), "cat/1.jpg")
        'photos/cat/1.jpg'
        >>> file_name(Path("photos/1.jpg"), "row 3 of labels.csv")
        'photos/1.jpg (row 3 of labels.csv)'
    """
    return shortest(path) + ("" if path.name in origin else f" ({origin})")
