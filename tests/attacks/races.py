"""Commands that run at the same time on the same files: none loses what another one made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

import kerasft
from tests.attacks.at_once import at_once
from tests.attacks.attack import Attack, Place
from tests.attacks.colors import write_colors
from tests.attacks.run_files import RUN

FIT = ("fit", "colors.py", "-q", "--epochs=2")
TUNE = ("tune", "colors.py", "-q", "--epochs=1", "--max-trials=3", "--space=dropout=0,0.2,0.5")
EXPORT = ("export", RUN, "-q", "--name=texts")
PREDICT = ("predict", RUN, "texts.csv", "-o", "predictions.csv")
VERIFY = ("verify", "saved_models/texts/1")
_TEXTS = "text\n" + "a good film\n" * 2000


def _colors(place: Place) -> None:
    write_colors(place.path)


def _text_run(place: Place) -> None:
    place.copy("text run", RUN)
    place.write("texts.csv", _TEXTS)


def _interrupted_fit(place: Place) -> None:
    def interrupt(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    write_colors(place.path)
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
    with contextlib.chdir(place.path), contextlib.suppress(KeyboardInterrupt):
        kerasft.fit("colors.py", epochs=2, name="a", progress=False, callbacks=[callback])


def _stopped_search(place: Place) -> None:
    write_colors(place.path)
    with contextlib.chdir(place.path):
        kerasft.tune(
            "colors.py", epochs=1, space=["dropout=0,0.2,0.5"], max_trials=1, name="a",
            progress=False,
        )  # fmt: skip


@dataclass(frozen=True)
class Race:
    """Commands at the same time.

    Attributes:
        commands: The commands.
        exit_code: Largest exit code of all, or several that are possible.
        arrange: Function that writes the files.
        then: Command that must end with 0 afterwards.
        made: Number of paths at the end, by pattern.
        names: Texts in the outputs, unless all end with 0.
    """

    commands: Sequence[Sequence[str]]
    exit_code: int | tuple[int, ...]
    arrange: Callable[[Place], Any]
    then: Sequence[str] = ()
    made: Mapping[str, int] = field(default_factory=dict)
    names: Sequence[str] = ()


RACES = {
    "fits of one name": Race(
        [[*FIT, "--name=a"]] * 3, 2, _colors, ["evaluate", "runs/colors/a"],
        {"runs/colors/*": 1, "runs/colors/a/weights.safetensors": 1}, ["runs/colors/a"],
    ),
    "fits without a name": Race(
        [FIT] * 3, 0, _colors, ["evaluate", "latest"], {"runs/colors/*/metrics.json": 3},
    ),
    "a resumed fit": Race(
        [["fit", "colors.py", "-q", "--resume"]] * 3, (0, 2), _interrupted_fit,
        ["evaluate", "runs/colors/a"], {"runs/colors/*": 1}, ["colors"],
    ),
    "a resumed fit and its deletion": Race(
        [["fit", "colors.py", "-q", "--resume"], ["runs", "delete", "runs/colors/a", "--yes"]],
        (0, 2, 5), _interrupted_fit, ["runs"], names=["colors"],
    ),
    "searches of one name": Race(
        [[*TUNE, "--name=a"]] * 3, 2, _colors, ["report", "searches/colors/a"],
        {"searches/colors/*": 1, "searches/colors/a/trials/*": 3}, ["searches/colors/a"],
    ),
    "searches without a name": Race(
        [TUNE] * 2, 0, _colors, [], {"searches/colors/*/journal.jsonl": 2},
    ),
    "a resumed search": Race(
        [[*TUNE, "--name=a", "--resume"]] * 3, (0, 2), _stopped_search,
        ["report", "searches/colors/a"], {"searches/colors/a/trials/*": 3}, ["searches/colors/a"],
    ),
    "exports of one name": Race(
        [EXPORT] * 2, 0, _text_run, VERIFY, {"saved_models/texts/*": 2},
    ),
    "exports in several formats": Race(
        [EXPORT, [*EXPORT, "--format=onnx"]], 0, _text_run, VERIFY, {"saved_models/*/1": 2},
    ),
    "an export and a deletion of its run": Race(
        [EXPORT, ["runs", "delete", RUN, "--yes"]], (0, 2, 5), _text_run, ["runs"],
        {RUN: 0}, ["a"],
    ),
    "an export and a calibration": Race([EXPORT, ["calibrate", RUN]], 0, _text_run, VERIFY),
    "predictions into one file": Race(
        [PREDICT] * 3, 0, _text_run, ["predict", RUN, "predictions.csv", "--text-column=input"],
        {"*": 3},
    ),
    "a prediction and a calibration": Race(
        [PREDICT, ["calibrate", RUN]], 0, _text_run, ["evaluate", RUN],
    ),
    "a prediction and a deletion of its run": Race(
        [PREDICT, ["runs", "delete", RUN, "--yes"]], (0, 2, 5), _text_run, ["runs"], {RUN: 0},
        ["a"],
    ),
    "calibrations": Race(
        [["calibrate", RUN]] * 3, (0, 2), _text_run, ["evaluate", RUN], names=[RUN],
    ),
    "evaluations": Race([["evaluate", RUN]] * 3, 0, _text_run, ["evaluate", RUN]),
    "reports": Race([["report", RUN, "-q"]] * 3, 0, _text_run, ["report", RUN]),
    "deletions": Race(
        [["runs", "delete", RUN, "--yes"]] * 3, (0, 2), _text_run, ["runs"], {RUN: 0}, [RUN],
    ),
    "copies into one file": Race(
        [["copy", "resnet_digits", "mine.py"]] * 3, 2, lambda place: None, ["show", "mine.py"],
        {"*": 1}, ["mine.py"],
    ),
    "checks": Race([["check", "colors.py", "-q"]] * 3, 0, _colors, made={"*": 2}),
    "lists of runs while they are deleted": Race(
        [["runs"], ["runs", "delete", RUN, "--yes"], ["runs"]], 0, _text_run, ["runs"], {RUN: 0},
    ),
}  # fmt: skip
_OUTPUTS = ("runs", "searches", "saved_models", "predictions.csv", "mine.py")


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for what, race in RACES.items():
        first, *others = race.commands
        yield Attack(
            "races", what, first, race.exit_code, race.names, race.arrange, changes=_OUTPUTS,
            run=at_once(*others), then=race.then, made=race.made,
        )  # fmt: skip
