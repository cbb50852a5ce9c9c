"""The journal of a search: one line an event, on the disk before the search goes on.

It is the record: everything else in the folder can be made from it or from what it names. A
process that is killed leaves at most a torn last line, which the next one cuts off.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError, ResourceError, SettingError
from kerasft.runs import file_lock, plain_json

JOURNAL = "journal.jsonl"
LOCK = "search.lock"


def locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Keep a search folder for this process; the system gives it back when the process ends.

    Raises:
        SettingError: Another process searches in this folder.
    """
    return file_lock(
        folder / LOCK,
        f"is searching in {folder}. Wait for it, or give this search another --name.",
    )


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """Return the events of a search so far.

    A torn last line, of an event that was being written when the process died, is left out.

    Raises:
        SettingError: There is no search in this folder.
        DamagedFileError: A line before the last is damaged.
    """
    path = folder / JOURNAL
    if not path.exists():
        raise SettingError(f"{folder} is no search: it has no {JOURNAL}.")
    events = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if number == len(lines):  # empty where the last event was written to its end
            break
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or "event" not in event:
                raise ValueError("it is no event")
        except (ValueError, UnicodeDecodeError) as error:
            raise DamagedFileError(f"Line {number} of {path} is damaged: {error}.") from None
        events.append(event)
    return events


class Journal:
    """Appends events to the journal of a folder; each is on the disk when `write` returns.

    Args:
        folder: The search's folder. A torn last line in it is cut off.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (closed by `close`)
        content = self.path.read_bytes()
        self._end = content.rfind(b"\n") + 1
        if self._end != len(content):
            self._file.truncate(self._end)

    def write(self, event: str, **values: Any) -> None:
        """Add one event.

        Raises:
            ResourceError: The disk is full; the journal stays as it was.
        """
        line = json.dumps(plain_json({"event": event, **values}), ensure_ascii=False)
        data = line.encode("utf-8") + b"\n"
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self._end)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise ResourceError(f"{self.path} cannot be written: {error.strerror}.") from error
            raise
        self._end += len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return what differs between two headers, one line each.

    Example:
        >>> differences({"config": {"epochs": 3}}, {"config": {"epochs": 4}})
        ['config.epochs: 3 before, 4 now']
    """
    found = []
    for name in dict.fromkeys([*before, *now]):
        old, new = _by_name(before.get(name)), _by_name(now.get(name))
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name}: {_short(old)} before, {_short(new)} now")
    return found


def _by_name(value: Any) -> Any:
    """Return a list of named things as a dictionary."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(x, dict) and "name" in x for x in value)
    ):
        return {item["name"]: item for item in value}
    return value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
