"""The journal of a search: one line per event, written to disk before the search continues.

Everything else in the search folder can be reconstructed from it and the trial folders. A killed
process leaves at most an incomplete last line, which the next one removes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kerasft.display import current
from kerasft.errors import DamagedFileError, ResourceError, SettingError, is_full_disk
from kerasft.runs import file_lock, plain_json, write_text
from kerasft.runs.json_shape import shape_problem

JOURNAL = "journal.jsonl"
LOCK = "search.lock"
TRIALS = "trials"  # folder of the trials
_ANY = {"*": object}
# Entries of each event, as `shape_problem` takes them.
_EVENTS: dict[str, dict[str, Any]] = {
    "search": {
        "recipe": {"name": str, "source?": (str, None), **_ANY},
        "config": _ANY,
        "given": _ANY,
        "space": [{"name": str, **_ANY}],
        "objective": {"name": str, "direction": frozenset({"max", "min"}), **_ANY},
        "tuner": str,
        "validation_examples": (int, None),
        **_ANY,
    },
    "trial": {
        "trial": int, "key": (str, None), "values": _ANY, "epochs": int, "continues": (int, None),
        **_ANY,
    },
    "repeat": {"key": str, "values": _ANY, "of": int, **_ANY},
    "end": {
        "trial": int, "state": str, "score?": (float, None), "val_loss?": (float, None),
        "best_epoch?": (int, None), "epochs?": (int, None), "seconds?": (float, None), **_ANY,
    },
}  # fmt: skip


def locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Lock a search folder; the operating system releases the lock when the process ends.

    Raises:
        SettingError: Another process runs a search in this folder.
    """
    return file_lock(
        folder / LOCK,
        f"is searching in {folder}. Wait for it, or pass another --name.",
    )


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """Return the events of a search so far, the first of which is `search`.

    An incomplete last line, left by a killed process, is ignored.

    Raises:
        SettingError: The folder is not a search.
        DamagedFileError: The journal has no whole event, or a line before the last is damaged.
    """
    path = folder / JOURNAL
    if not path.exists():
        raise SettingError(f"{folder} is not a search: it has no {JOURNAL}.")
    events: list[dict[str, Any]] = []
    trials = set[Any]()
    *lines, _ = path.read_bytes().split(b"\n")  # what follows the last line end is incomplete
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            _check_event(event, trials, first=not events)
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise DamagedFileError(
                f"Line {number} of {path} is damaged: {error}. Restore the file, or start a search "
                "under another --name."
            ) from None
        events.append(event)
        if event["event"] == "trial":
            trials.add(event["trial"])
    if not events:
        raise DamagedFileError(
            f"{path} is damaged: it has no whole line. Restore the file, or start a search under "
            "another --name."
        )
    return events


def _check_event(event: Any, trials: Collection[Any], *, first: bool) -> None:
    """Raise ValueError for what is not an event, or not one at its place.

    Args:
        event: Value of a line.
        trials: Numbers of the trials before it.
        first: Whether it is the first line.
    """
    kind = event.get("event") if isinstance(event, dict) else None
    if not isinstance(kind, str) or kind not in _EVENTS:
        raise ValueError("it is not an event")
    if (kind == "search") != first:
        raise ValueError(f"{kind!r} is not the event that belongs there")
    if problem := shape_problem(event, _EVENTS[kind]):
        raise ValueError(problem)
    named = {"end": "trial", "repeat": "of", "trial": "continues"}.get(kind)
    number = event[named] if named else None
    if number is not None and number not in trials:
        raise ValueError(f"it names trial {number}, which no line before it begins")


def begin_journal(folder: Path, header: Mapping[str, Any]) -> None:
    """Write a journal with its first event: after a kill there is none, or one that is whole."""
    write_text(folder / JOURNAL, _line("search", header))


def _line(event: str, values: Mapping[str, Any]) -> str:
    return json.dumps(plain_json({"event": event, **values}), ensure_ascii=False) + "\n"


class Journal:
    """Appends events to the journal of a search; each is on disk when `write` returns.

    Args:
        folder: Search folder. An incomplete last line of its journal is removed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (closed by `close`)
        content = self.path.read_bytes()
        self._end = content.rfind(b"\n") + 1
        if self._end != len(content):
            current().line(f"note   dropped the incomplete last line of {self.path}")
            self._file.truncate(self._end)

    def write(self, event: str, **values: Any) -> None:
        """Add one event.

        Raises:
            ResourceError: The disk is full; the journal is left unchanged.
        """
        data = _line(event, values).encode("utf-8")
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self._end)
            if is_full_disk(error):
                raise ResourceError(f"{self.path} cannot be written: {error.strerror}.") from error
            raise
        self._end += len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the differences between two headers, one line each.

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
    """Return a list of named items as a dictionary; anything else is returned unchanged."""
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
