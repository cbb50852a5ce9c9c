"""Values that settings cannot have: on the command line, in files and in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kerasft.formatting import option_name
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.setting_declaration import Setting, settings
from tests.attacks.attack import Attack, Place

RECIPES = {"resnet_digits": resnet_digits.Config, "minilm_tickets": minilm_tickets.Config}
# Values that no number can have, as typed and as in a JSON file.
WORDS = ["nan", "inf", "-inf", "1e400", "many", "", " ", "0x10", "1,5", "--", "{0}", "\x1b[31m"]
VALUES: list[Any] = [
    float("nan"), float("inf"), -float("inf"), 10**400, "many", "", None, [], [1], [{}], True,
]  # fmt: skip
OTHERS = {
    int: ["1.5", "1e30", "99999999999", "9" * 5000],
    float: ["-1e30"],
    bool: [],
    str: [],
}


def _recipe_of(item: Setting) -> str:
    return next(name for name, kind in RECIPES.items() if item.name in settings(kind))


def _all_settings() -> dict[str, Setting]:
    return {name: item for kind in RECIPES.values() for name, item in settings(kind).items()}


def _words(item: Setting) -> Iterator[str]:
    """Yield words that a setting does not accept on the command line."""
    if item.type in (int, float):  # an empty word is no value, as the default of such a setting
        yield from (word for word in WORDS if word or not item.optional)
        yield from OTHERS[item.type]
    if item.minimum is not None:
        yield f"{item.minimum - 1:g}"
    if item.maximum is not None:
        yield f"{item.maximum * 2 + 1:g}"
    if item.below is not None:
        yield f"{item.below:g}"
    if item.choices is not None:
        yield from ("nothing", "", "\x1b[31m", f"{item.choices[0]} ", "x" * 5000)


def _values(item: Setting) -> Iterator[Any]:
    """Yield values of a JSON file that a setting does not accept."""
    wrong = {int: [*VALUES, 1.5, 2**31], float: VALUES, bool: ["yes", 1, 0, None, []], str: [1, []]}
    for value in wrong[item.type]:
        if not (value is None and item.optional):
            yield value
    if item.minimum is not None:
        yield item.minimum - 1
    if item.choices is not None:
        yield from ("nothing", "x" * 5000)


def _typed(item: Setting, word: str) -> Attack:
    option = option_name(item.name)
    return Attack(
        "settings", f"{option} {word!a:.24}", ["fit", _recipe_of(item), f"{option}={word}"], 2,
        [option],
    )  # fmt: skip


def _filed(item: Setting, value: Any) -> Attack:
    content = json.dumps({item.name: value})

    def arrange(place: Place) -> None:
        place.write("settings.json", content)

    command = ["fit", _recipe_of(item), "--config", "settings.json"]
    return Attack("settings", f"JSON {content:.50}", command, 2, [option_name(item.name)], arrange)


FILES = {
    "settings.json": {
        "empty": "", "null": "null", "a list": "[1]", "a text": '"epochs"', "half": '{"epochs": 3',
        "100,000 brackets": "[" * 100_000, "zero bytes": bytes(9),
        "no UTF-8": b'{"epochs": "\xff"}',
        "an unknown name": '{"epochen": 3}', "an object as a value": '{"epochs": {"a": 1}}',
        "an object in an object": '{"a": {"b": {"c": 1}}}',
        "a number of 5,000 digits": '{"epochs": ' + "9" * 5000 + "}",
        "a pickle": b"cos\nsystem\n(S'touch hacked'\ntR.",
    },
    "settings.toml": {
        "half": "epochs = ", "a name twice": "epochs = 1\nepochs = 2", "no UTF-8": b"a = '\xff'",
        "zero bytes": bytes(9), "an unknown name": "epochen = 3", "a date": "epochs = 2026-01-31",
        "1,000 brackets": "epochs = " + "[" * 1000, "nan": "epochs = nan",
        "1,000 tables in tables": "[" + ".".join("a" * 1000) + "]\nb = 1",
    },
    "settings.yaml": {"another format": "epochs: 3"},
    "settings": {"no extension": "{}"},
}  # fmt: skip


def _files() -> Iterator[Attack]:
    for name, contents in FILES.items():
        for what, content in contents.items():
            culprit = "epochs" if what in ("a date", "nan") else name
            yield Attack(
                "settings", f"{name}: {what}", ["fit", "resnet_digits", "--config", name], 2,
                [culprit], lambda place, name=name, content=content: place.write(name, content),
            )  # fmt: skip
    for name in ("missing.json", "folder.json"):
        yield Attack(
            "settings", name, ["fit", "resnet_digits", "--config", name], 2, [name],
            lambda place: (place.path / "folder.json").mkdir(),
        )  # fmt: skip


TOGETHER = {
    "--validation-fraction": ["--validation-fraction", "0.5", "--test-fraction", "0.5"],
    "--label-smoothing": ["--label-smoothing", "1"],
    "--lora-rank": ["--lora-rank", "4", "--trainable-blocks", "0"],
    "--mixup": ["--mixup", "0.2", "--task", "regression"],
    "--cutmix": ["--cutmix", "1", "--class-weight", "balanced"],
    "--target-unit": ["--target-unit", "EUR"],
    "--target-transform": ["--target-transform", "log"],
    "--class-weight": ["--class-weight", "balanced", "--task", "regression"],
    "--loss": ["--loss", "huber"],
    "--pretrained-l2": ["--pretrained-l2", "0.1", "--no-pretrained", "--no-freeze-batch-norm"],
    "--freeze-batch-norm": ["--no-pretrained"],
    "--backbone-l1": ["--backbone-l1", "0.1", "--lora-rank", "4"],
    "--seeds": ["--seeds", "2", "--name", "a"],
    "--resume": ["--resume", "--seeds", "2"],
    "--monitor": ["--monitor", "val_nothing"],
    "--space": ["--space", "dropout=0.1"],
    "--dropuot": ["--dropuot", "0.1"],
    "--sequence-length": ["--sequence-length", "9"],
    "--name": ["--name", "../up"],
    "--config": ["--config", ""],
}


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    for item in _all_settings().values():
        yield from (_typed(item, word) for word in _words(item))
        yield from (_filed(item, value) for value in _values(item))
    yield from _files()
    for culprit, words in TOGETHER.items():
        yield Attack(
            "settings", " ".join(words), ["fit", "resnet_digits", *words], 2, [culprit]
        )  # fmt: skip
