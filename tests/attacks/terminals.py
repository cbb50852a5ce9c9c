"""Outputs that cannot be written, and narrow terminals: in processes of their own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.attacks.attack import Attack, Done

ROOT = Path(__file__).parents[2]


def by_shell(line: str, **environment: str) -> Callable[[Sequence[str], Path], Done]:
    """Return a function that runs words by a shell, in which {} stands for the command."""

    def run(words: Sequence[str], folder: Path) -> Done:
        command = shlex.join([sys.executable, "-m", "kerasft", *words])
        done = subprocess.run(
            ["bash", "-c", line.replace("{}", command)], cwd=folder, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, timeout=120, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


LINES: dict[str, tuple[Callable[[Sequence[str], Path], Done], int | tuple[int, ...]]] = {
    "a pipe that is closed": (by_shell("{} | true"), 0),
    "a pipe that reads one line": (by_shell("{} | head -1"), 0),
    "no standard input": (by_shell("{} <&-"), 0),
    "no standard output": (by_shell("{} >&-"), 0),
    "no standard error": (by_shell("{} 2>&-"), 0),
    "no streams": (by_shell("{} <&- >&- 2>&-"), 0),
    "one column": (by_shell("{}", COLUMNS="1"), 0),
    "10,000 columns": (by_shell("{}", COLUMNS="10000"), 0),
    "columns that are no number": (by_shell("{}", COLUMNS="many"), 0),
    "an unknown terminal": (by_shell("{}", TERM="nothing"), 0),
    "no terminal": (by_shell("{}", TERM="dumb"), 0),
    "an ASCII locale": (by_shell("{}", LC_ALL="C", PYTHONUTF8="0"), 0),
    "no home folder": (by_shell("{}", HOME="/nowhere"), 0),
    "no color": (by_shell("{}", NO_COLOR="1"), 0),
    "a color that is forced": (by_shell("{}", FORCE_COLOR="1"), 0),
    "a full disk": (by_shell("{} > /dev/full"), 6),
}
COMMANDS = {
    "list": ["list"],
    "show": ["show", "resnet_digits"],
    "help": ["fit", "resnet_digits", "--help-all"],
}


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for what, (run, code) in LINES.items():
        for name, words in COMMANDS.items():
            yield Attack(
                "terminals",
                f"{name}, {what}",
                words,
                code,
                names=["standard output"] if code else [],
                run=run,
            )
