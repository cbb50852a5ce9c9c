"""Random damage to images, tables, settings files and every file of a run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from tests.attacks.attack import Attack, Place
from tests.attacks.images import FIT, FORMATS, picture, with_photos
from tests.attacks.run_files import FILES, QUICK, RUN
from tests.attacks.tables import FORMATS as TABLES
from tests.attacks.tables import RECIPE, ROWS

# A fit with more blocks than the backbone has: whatever the damage, nothing is trained.
TOO_MANY = ["--trainable-blocks", "99"]
SETTINGS = b'{"epochs": 3, "dropout": 0.1, "loss": "auto", "cache": true, "dataset": "photos"}'


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return content with one to eight bytes or parts changed, left out, doubled or inserted."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        start = chance.randrange(len(data) + 1)
        part = data[start : start + chance.randint(1, 40)]
        kind = chance.randrange(4)
        if kind == 0 and start < len(data):
            data[start] = chance.randrange(256)
        elif kind == 1:
            del data[start : start + len(part)]
        elif kind == 2:
            data[start:start] = part * chance.randint(1, 50)
        else:
            data[start:start] = chance.choice(
                [b"\0", b'"', b"\n", b",", b"\xff", b"9" * 400, b"[" * 999]
            )
    return bytes(data)


def _image(number: int, chance: random.Random) -> Attack:
    kind = chance.choice(list(FORMATS))
    content = mutated(picture(kind), chance)

    def arrange(place: Place) -> None:
        with_photos(place, f"fuzzed.{kind}", content)
        place.write("photos/dog/bad.png", b"no image")

    return Attack("fuzz", f"{number}, {kind}", FIT, 3, ["bad.png"], arrange, without=["good"])


def _table(number: int, chance: random.Random) -> Attack:
    kind = chance.choice(list(TABLES))
    content = mutated(TABLES[kind](ROWS), chance)
    name = f"fuzzed.{kind}"
    return Attack(
        "fuzz", f"{number}, {kind}", ["fit", *RECIPE, "--dataset", name, *TOO_MANY], (2, 3), [name],
        lambda place: place.write(name, content),
    )  # fmt: skip


def _settings(number: int, chance: random.Random) -> Attack:
    content = mutated(SETTINGS, chance)
    command = ["fit", "resnet_digits", "--config", "fuzzed.json", *TOO_MANY]
    return Attack(
        "fuzz", f"{number}, settings", command, (2, 3), [],
        lambda place: place.write("fuzzed.json", content),
    )  # fmt: skip


def _run_file(number: int, chance: random.Random) -> Attack:
    name = chance.choice(FILES)
    command = chance.choice(list(QUICK))
    seed = chance.randrange(2**32)

    def arrange(place: Place) -> None:
        path = place.copy("text run", RUN) / name
        path.write_bytes(mutated(path.read_bytes(), random.Random(seed)))

    read, manifest = name in QUICK[command], name == "manifest.json"
    return Attack(
        "fuzz", f"{number}, {command}, {name}", [command, RUN], (0, 2, 5) if manifest else 5 * read,
        [name] * read, arrange,
    )  # fmt: skip


MAKERS: list[Callable[[int, random.Random], Attack]] = [_image, _table, _settings, _run_file]


def attacks(seed: int = 0, cases: int = 200) -> Iterator[Attack]:
    """Yield the attacks of this group.

    Args:
        seed: Seed of the damage.
        cases: Number of attacks.
    """
    chance = random.Random(seed)
    for number, make in zip(range(cases), itertools.cycle(MAKERS), strict=False):
        yield make(number, chance)
