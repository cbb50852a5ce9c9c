"""One attack: hostile files, one command line, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from kerasft.cli import main

LONGEST = 700  # characters of a line; messages are shortened to 600
LIMIT = 120  # seconds of a command
_UNPLANNED = ("Traceback (most recent", "use --debug for the traceback", "Warning: ")
_COMMANDS = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Place:
    """The folder of one attack, and the runs and exports that attacks copy.

    Args:
        path: Empty folder, which is the current one of the command.
        shared: Function of `tests.attacks.shared.make_shared`, from a name to what was made.
    """

    def __init__(self, path: Path, shared: Callable[[str], Path]) -> None:
        self.path, self.shared = path, shared

    def write(self, name: str, content: str | bytes = b"") -> Path:
        """Write a file and the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def copy(self, shared: str, name: str) -> Path:
        """Copy what was made once, such as a run."""
        return Path(shutil.copytree(self.shared(shared), self.path / name, symlinks=True))


@dataclass(frozen=True)
class Done:
    """What a command line did."""

    exit_code: int
    stdout: str
    stderr: str


def in_process(words: Sequence[str], folder: Path) -> Done:
    """Run a command line in this process, where TensorFlow is imported once."""
    with contextlib.chdir(folder), _time_limit():
        done = CliRunner().invoke(main, list(words), prog_name="kerasft")
    return Done(done.exit_code, done.stdout, done.stderr)


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Raise TimeoutError in the body after `LIMIT` seconds: an attack must not wait for ever."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"no answer within {LIMIT} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def nothing(place: Place) -> None:
    """Write no file."""


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        group: What is attacked.
        name: What is wrong, unique in its group.
        command: Words after `kerasft`; `{bert}` is the path of a tiny preset.
        exit_code: Documented exit code, or several where the damage may be harmless.
        names: Texts that the output must have: the culprit. Not checked if a harmless damage ends
            with 0.
        arrange: Function that writes the files.
        without: Texts that the output must not have, such as the names of good files.
        changes: Beginnings of paths that the command may write or delete.
        repair: Function that undoes the damage: a command that ended with 0 must then print the
            same, else the damage was believed.
        run: Function that runs the command line.
        then: Words of a command that must end with 0 afterwards: nothing is lost.
        made: Number of paths that must be there at the end, by pattern.
    """

    group: str
    name: str
    command: Sequence[str]
    exit_code: int | tuple[int, ...]
    names: Sequence[str] = ()
    arrange: Callable[[Place], Any] = nothing
    without: Sequence[str] = ()
    changes: tuple[str, ...] = ()
    repair: Callable[[Place], Any] | None = None
    run: Callable[[Sequence[str], Path], Done] = field(default=in_process)
    then: Sequence[str] = ()
    made: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"

    def line(self) -> str:
        """Return the command line as a person types it."""
        return shlex.join(["kerasft", *self.command])


def faults_of(attack: Attack, place: Place) -> list[str]:
    """Carry out an attack in an empty folder, and return what did not hold."""
    attack.arrange(place)
    before = snapshot(place.path)
    words = [str(place.shared("bert")) if word == "{bert}" else word for word in attack.command]
    done = attack.run(words, place.path)
    after = snapshot(place.path)
    faults = [*_wrong_answer(attack, done), *_wrong_files(attack, done, before, after)]
    if attack.repair and done.exit_code == 0:
        attack.repair(place)
        expected = attack.run(words, place.path).stdout
        faults += ["the damage was believed"] * (done.stdout != expected)
    if attack.then:
        later = in_process(attack.then, place.path)
        faults += [f"then {later.exit_code}: {later.stderr[-500:]!r}"] * (later.exit_code != 0)
    numbers = {pattern: len(list(place.path.glob(pattern))) for pattern in attack.made}
    return faults + [f"{numbers}, expected {attack.made}"] * (numbers != attack.made)


def _wrong_answer(attack: Attack, done: Done) -> Iterable[str]:
    output = done.stdout + done.stderr
    shown = f"{done.stderr.strip()[-500:]!r}"
    codes = attack.exit_code if isinstance(attack.exit_code, tuple) else (attack.exit_code,)
    if done.exit_code not in codes:
        yield f"exit code {done.exit_code}, expected {attack.exit_code}: {shown}"
    yield from (f"{text!r} in the output: {shown}" for text in _UNPLANNED if text in output)
    if done.exit_code == 0 and codes != (0,):
        return
    yield from (f"{name!r} is not named: {shown}" for name in attack.names if name not in output)
    yield from (f"{name!r} is named: {shown}" for name in attack.without if name in output)
    if _COMMANDS.search(output):
        yield f"a character that commands a terminal: {shown}"
    longest = max(map(len, done.stderr.split("\n")))
    if longest > LONGEST:
        yield f"a line of {longest} characters: {shown}"


def _wrong_files(
    attack: Attack, done: Done, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterable[str]:
    def may_change(name: str) -> bool:
        return name.startswith(attack.changes) if attack.changes else False

    lost = [name for name in before if before[name] != after.get(name) and not may_change(name)]
    new = [name for name in after if name not in before]
    hidden = [name for name in new if Path(name).name.startswith((".", "tmp"))]
    left = [name for name in new if done.exit_code and not may_change(name)]
    yield from (f"changed or lost: {name}" for name in lost[:3])
    yield from (f"left behind: {name}" for name in {*hidden[:3], *left[:3]})


def snapshot(folder: Path) -> dict[str, str]:
    """Return what is in a folder: paths with the kind and the hash of each, links not followed."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            found[str(path.relative_to(folder))] = _content(path)
    return found


def _content(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {path.readlink()}"
    if not stat.S_ISREG(mode):
        return oct(stat.S_IFMT(mode))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_line(**values: Any) -> str:
    """Return an object as a line of a JSON Lines file."""
    return json.dumps(values) + "\n"
