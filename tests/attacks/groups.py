"""All attacks, by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.attacks import (
    disks,
    export_files,
    fuzz,
    images,
    links,
    names,
    races,
    recipes,
    run_files,
    settings,
    tables,
    terminals,
)
from tests.attacks.attack import Attack


@dataclass(frozen=True)
class Group:
    """Attacks on one thing.

    Attributes:
        attacks: Function that returns them.
        every: Of how many attacks one is in the quick tier of the tests; 0 for none.
    """

    attacks: Callable[..., Iterable[Attack]]
    every: int = 1


GROUPS = {
    "images": Group(images.attacks, every=4),
    "tables": Group(tables.attacks, every=4),
    "settings": Group(settings.attacks, every=40),
    "recipes": Group(recipes.attacks, every=6),
    "names": Group(names.attacks, every=10),
    "links": Group(links.attacks, every=4),
    "fuzz": Group(fuzz.attacks, every=20),
    "run files": Group(run_files.attacks, every=40),
    "export files": Group(export_files.attacks, every=0),
    "terminals": Group(terminals.attacks, every=0),
    "disks": Group(disks.attacks, every=0),
    "races": Group(races.attacks, every=0),
}
