"""Every file of an exported model, with every kind of damage, found by `kerasft verify`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.attacks import damage
from tests.attacks.attack import Attack, Place
from tests.attacks.damage import Damage

MODEL = "models/texts/1"
FILES = (
    "README.md", "fingerprint.pb", "manifest.json", "proof.json", "saved_model.pb",
    "variables/variables.data-00000-of-00001", "variables/variables.index",
)  # fmt: skip


def _attack(name: str, what: str, spoil: Damage) -> Attack:
    # A manifest has no checksum, but proof.json has that of what it says.
    codes = (0, 2, 5) if name == "manifest.json" else 5
    named = "" if name == "manifest.json" else Path(name).name

    def arrange(place: Place) -> None:
        spoil(place.copy("export", MODEL) / name)

    return Attack(
        "export files", f"verify, {name}: {what}", ["verify", MODEL], codes, [MODEL, named], arrange
    )


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for name in FILES:
        kinds = damage.ANY | (damage.JSON if name.endswith(".json") else {})
        for what, spoil in kinds.items():
            yield _attack(name, what, spoil)
    for name in ("new.txt", "variables/new", "assets/x"):

        def add(place: Place, name: str = name) -> None:
            place.copy("export", MODEL)
            place.write(f"{MODEL}/{name}", "new")

        yield Attack("export files", f"verify, a new {name}", ["verify", MODEL], 5, [name], add)
