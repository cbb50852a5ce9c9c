"""Commands that run at the same time, in processes forked from one that has imported TensorFlow."""

from __future__ import annotations

import functools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.attacks.attack import LIMIT, Done

# What every command imports. No operation of TensorFlow may run before a fork.
IMPORTED = (
    "matplotlib.pyplot",
    "kerasft.training",
    "kerasft.tuning",
    "kerasft.serving.export",
)


@functools.cache
def _processes() -> ForkServerContext:
    """Return processes forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def at_once(*others: Sequence[str]) -> Callable[[Sequence[str], Path], Done]:
    """Return a function that runs a command and others at the same time.

    What it returns has the largest of their exit codes, and all outputs.
    """

    def run(words: Sequence[str], folder: Path) -> Done:
        with tempfile.TemporaryDirectory(prefix="at-once-") as outputs:
            paths = [Path(outputs, str(index)) for index in range(1 + len(others))]
            processes = [
                _processes().Process(target=_kerasft, args=(list(line), folder, path))
                for line, path in zip((words, *others), paths, strict=True)
            ]
            for process in processes:
                process.start()
            end = time.monotonic() + LIMIT
            for process in processes:
                process.join(max(end - time.monotonic(), 0))
                process.kill()
                process.join()
            # A killed process has a negative code, which no attack expects.
            codes = sorted((process.exitcode or 0 for process in processes), key=abs)
            texts = [[Path(f"{path}.{n}").read_text() for path in paths] for n in (1, 2)]
        return Done(codes[-1], *("".join(parts) for parts in texts))

    return run


def _kerasft(words: list[str], folder: Path, output: Path) -> None:
    """Be the command in this process; its output goes to files."""
    os.chdir(folder)
    for number in (1, 2):
        os.dup2(os.open(f"{output}.{number}", os.O_WRONLY | os.O_CREAT), number)
    from kerasft.cli import main

    main(words, prog_name="kerasft")
