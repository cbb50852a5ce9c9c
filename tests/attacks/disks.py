"""Disks that are full at the first byte, or after some: one line, no half file, nothing lost."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.attacks.attack import Attack, Done, Place, in_process
from tests.attacks.colors import write_colors
from tests.attacks.races import FIT, TUNE
from tests.attacks.run_files import RUN
from tests.attacks.terminals import by_shell


def limited(size: int) -> Callable[[Sequence[str], Path], Done]:
    """Return a function that runs a command while no file can have more than `size` bytes.

    The operating system refuses the write in the same way as on a full disk.
    """

    def run(words: Sequence[str], folder: Path) -> Done:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        logging.raiseExceptions = False  # the file that gets the messages of this process is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            return in_process(words, folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            logging.raiseExceptions = True

    return run


def _files(place: Place) -> None:
    write_colors(place.path)
    place.copy("text run", RUN)
    place.write("texts.csv", "text\n" + "a good film\n" * 100)


EXPORT = ["export", RUN, "-q", "--name=texts"]
# A command, how large its files can be until the disk is full, and what it may leave.
COMMANDS: dict[str, tuple[Sequence[str], Sequence[int], Sequence[str]]] = {
    "fit": ([*FIT, "--name=a"], (0, 100, 1000), ["runs/colors"]),
    "tune": ([*TUNE, "--name=a"], (0, 100, 1000), ["searches"]),
    "report": (["report", RUN], (0, 100, 3000), []),
    "calibrate": (["calibrate", RUN], (0, 100, 1000), []),
    "copy": (["copy", "resnet_digits", "mine.py"], (0, 100), []),
    "export": (EXPORT, (0, 3000), []),
    "export as onnx": ([*EXPORT, "--format=onnx"], (0, 3000), []),
    "export for huggingface": ([*EXPORT, "--format=huggingface"], (0, 3000), []),
} | {
    f"predict into {kind}": (
        ["predict", RUN, "texts.csv", "-o", f"predictions.{kind}"], (0, 100, 1000), [],
    )
    for kind in ("csv", "jsonl", "json", "parquet")
}  # fmt: skip
PRINTED = {
    "fit": [*FIT, "--name=a"],
    "predict": ["predict", RUN, "a film"],
    "evaluate": ["evaluate", RUN, "--json"],
}


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for what, (words, sizes, outputs) in COMMANDS.items():
        for size in sizes:
            again = [*words[:-1], "--name=b"] if outputs else words
            yield Attack(
                "disks", f"{what}, full after {size} bytes", words, 6, ["disk"], _files,
                changes=tuple(outputs), run=limited(size),
                then=() if words[0] == "export" else again,  # their proofs take long
            )  # fmt: skip
    for what, words in PRINTED.items():
        yield Attack(
            "disks", f"{what}, full where it prints", words, 6, ["for standard output"], _files,
            changes=("runs/colors",), run=by_shell("{} > /dev/full"), then=["runs"],
        )  # fmt: skip
