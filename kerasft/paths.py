"""Paths as a user writes them; standard library only."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Return a path with ~ as the home folder; what begins with ~ and is no user's stays.

    Args:
        path: What a user gave: it may be a text, or a name with a ~ of its own.

    Example:
        >>> expanded("~20 items are missing")
        PosixPath('~20 items are missing')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
