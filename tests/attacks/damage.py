"""Kinds of damage to a file, for every file of a run, an export or a preset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def content(change: Callable[[bytes], bytes]) -> Damage:
    """Return the damage that replaces the content of a file."""
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def flipped(data: bytes, place: float = 0.5) -> bytes:
    """Return bytes with one bit flipped at a relative place."""
    index = min(int(len(data) * place), len(data) - 1)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def _digit(data: bytes) -> bytes:
    """Return bytes with another digit: still valid JSON, with another meaning."""
    index = next(place for place, byte in enumerate(data) if byte in b"123456789")
    return data[:index] + (b"7" if data[index : index + 1] != b"7" else b"3") + data[index + 1 :]


def _replaced(make: Callable[[Path], object]) -> Damage:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


ANY: dict[str, Damage] = {
    "its first half": content(lambda data: data[: len(data) // 2]),
    "one bit flipped": content(flipped),
    "its last bit flipped": content(lambda data: flipped(data, 1)),
    "zero bytes": content(lambda data: bytes(len(data))),
    "one byte more": content(lambda data: data + b"\n"),
    "a pickle": content(lambda data: b"cos\nsystem\n(S'touch hacked'\ntR."),
    "missing": lambda path: path.unlink(),
    "a folder": _replaced(lambda path: path.mkdir()),
    "a broken link": _replaced(lambda path: path.symlink_to("nowhere")),
    "a link to itself": _replaced(lambda path: path.symlink_to(path.name)),
    "a named pipe": _replaced(os.mkfifo),
}
# Of a JSON file.
CONTENTS = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[1, 2]",
    "an empty object": b"{}",
    "a list of other objects": b'[{"a": 1}]',
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b"{\xff",
    "a number of 5,000 digits": b'{"task": ' + b"9" * 5000 + b"}",
}
JSON: dict[str, Damage] = {
    **{name: content(lambda _, data=data: data) for name, data in CONTENTS.items()},
    "another digit": content(_digit),
}


def copied(source: Path, target: Path) -> Path:
    """Copy a folder or a file."""
    return Path(shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target))
