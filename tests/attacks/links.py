"""Symbolic links in datasets and runs: no second class, no file outside, no loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.attacks.attack import Attack, Place
from tests.attacks.images import FIT, with_photos
from tests.attacks.run_files import RUN

# A link in a class folder, its target, and whether it is skipped.
LINKS = {
    "to the root": ("photos/cat/loop", ".."),
    "to itself": ("photos/cat/loop", "loop"),
    "to its class": ("photos/cat/loop", "."),
    "to another class": ("photos/cat/loop", "../dog"),
    "to an image of another class": ("photos/cat/loop.png", "../dog/good0.jpg"),
    "out of the dataset": ("photos/cat/loop", "/etc"),
    "to a file outside": ("photos/cat/loop.png", "/etc/passwd"),
    "to nothing": ("photos/cat/loop.png", "nowhere.png"),
    "to a device": ("photos/cat/loop.png", "/dev/zero"),
    "a class to another class": ("photos/loop", "dog"),
    "a class to the root": ("photos/loop", "."),
    "a class to nothing": ("photos/loop", "nowhere"),
    "a class out of the dataset": ("photos/loop", "/etc"),
}


def _linked(name: str, target: str) -> Callable[[Place], Any]:
    def arrange(place: Place) -> None:
        with_photos(place, "bad.png", b"no image")
        (place.path / name).symlink_to(target)

    return arrange


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for what, (name, target) in LINKS.items():
        yield Attack(
            "links", what, FIT, 3, ["bad.png"], _linked(name, target),
            without=["good", "passwd", "loop"],
        )  # fmt: skip

    def linked_run(place: Place) -> None:
        place.copy("text run", "elsewhere/a")
        (place.path / "runs" / "minilm_tickets").mkdir(parents=True)
        (place.path / RUN).symlink_to(place.path / "elsewhere" / "a")

    yield Attack(
        "links", "delete a linked run", ["runs", "delete", RUN, "--yes"], 0, ["not deleted"],
        linked_run, changes=(RUN,),
    )  # fmt: skip
