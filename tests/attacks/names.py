"""Hostile names of files, classes, columns, runs and models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.attack import Attack, Place
from tests.attacks.images import FIT, picture, with_photos
from tests.attacks.tables import ROWS, csv_of, fit

# Valid names of files: what is hostile, the name, and what of it must be shown.
NAMES = {
    "an escape sequence": ("a\x1b[2J\x1b]0;x\x07b", r"a\x1b[2J"),
    "a line break": ("a\nError: b", "a"),
    "a carriage return": ("a\rb", r"a\rb"),
    "a bell": ("a\x07b", r"a\x07b"),
    "a reversed line": ("a\u202egnp.b", r"a\u202e"),
    "no UTF-8": (os.fsdecode(b"a\xff\xfeb"), r"a\udcff"),
    "spaces": ("  a  b", "a  b"),
    "a dash": ("--epochs", "--epochs"),
    "a command": ("$(touch hacked)", "$(touch hacked)"),
    "backquotes": ("`touch hacked`", "`touch hacked`"),
    "quotes": ("'a\"b", "'a\"b"),
    "markup": ("[red]a[bold]", "[red]a[bold]"),
    "markup that is not closed": ("[red", "[red"),
    "a format": ("{0}%s{a.b}", "{0}%s{a.b}"),
    "HTML": ("<script>alert(1)<", "<script>"),
    "a setting": ("`epochs`", "epochs"),
    "240 characters": ("x" * 240, "xxxxxxxx"),
    "emoji": ("\U0001f600\u200d\U0001f525", "\U0001f600"),
    "Cyrillic that looks like Latin": ("\u0441\u0430t", "\u0441\u0430t"),
    "a home folder": ("~root", "~root"),
    "a number": ("17", "17"),
}


def _bad_image(name: str) -> Attack:
    hostile, shown = NAMES[name]

    def arrange(place: Place) -> None:
        with_photos(place, f"{hostile}.png", b"no image")

    return Attack("names", f"an image: {name}", FIT, 3, [shown], arrange, without=["good"])


def _bad_class(name: str) -> Attack:
    hostile, shown = NAMES[name]

    def arrange(place: Place) -> None:
        with_photos(place, "good.png", picture(level=200))
        (place.path / "photos" / hostile).mkdir()

    return Attack("names", f"a class without images: {name}", FIT, 3, [shown], arrange)


def _bad_table(name: str) -> Attack:
    hostile, shown = NAMES[name]
    file = f"{hostile}.csv"
    return Attack(
        "names", f"a table: {name}", fit(file), 3, [shown],
        lambda place: place.write(file, "text,label\n"),
    )  # fmt: skip


def _bad_label(name: str) -> Attack:
    hostile, shown = NAMES[name]
    word = f'"{hostile}"'.replace('a"b', 'a""b')
    rows = [{**row, "label": word if number else "b"} for number, row in enumerate(ROWS)]
    content = csv_of(rows) + b",b\n"
    command = fit("labels.csv", "--task", "regression")
    return Attack(
        "names", f"a label that is no number: {name}", command, 3, ["labels.csv"],
        lambda place: place.write("labels.csv", content) if shown else None,
    )  # fmt: skip


RUN_NAMES = ("", ".", "..", "../up", "a/b", "/tmp/a", ".hidden", "a\0b", "x" * 300, "\x1b[2J/")


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for name in NAMES:
        yield _bad_image(name)
        yield _bad_class(name)
        yield _bad_table(name)
        if name not in ("no UTF-8", "a number"):
            yield _bad_label(name)
    for name in RUN_NAMES:
        yield Attack(
            "names", f"a run: {name!a:.20} ({len(name)})",
            ["fit", "resnet_digits", "--name", name], 2, ["--name"],
        )  # fmt: skip
    for command in (["show"], ["evaluate"], ["predict"], ["export"], ["report"], ["diagnose"]):
        for name in ("nothing", "../up", "\x1b[2J", "x" * 5000, "{0}", "[red]"):
            words = [*command, name, *(["a text"] if command == ["predict"] else [])]
            yield Attack(
                "names",
                f"{command[0]} the run {name!a:.20} ({len(name)})",
                words,
                2,
                [name.strip("\x1b")[:9]],
            )
    for name in ("x" * 300, "x" * 5000, "a\0b", "nowhere/photos", "\x1b[2J"):
        command = [word if word != "photos" else name for word in FIT]
        yield Attack(
            "names",
            f"a dataset {name!a:.20} ({len(name)})",
            command,
            (2, 3),
            [Path(name).name[2:9]],
        )
