"""Small sets with wrong labels in the training part, on which fits become over-confident.

`ten`: ten intents of Banking77 about money that has not arrived or was refused, which are easily
confused. `tickets`: the bundled tickets of eight intents. Training texts have wrong labels,
validation and test do not.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import kerasft

_TICKETS = Path(kerasft.__file__).parent / "data" / "builtin" / "tickets.csv"
_INTENTS = (
    "declined_card_payment",
    "declined_cash_withdrawal",
    "declined_transfer",
    "failed_transfer",
    "pending_card_payment",
    "pending_cash_withdrawal",
    "pending_top_up",
    "pending_transfer",
    "top_up_failed",
    "transfer_timing",
)
Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class WrongLabels:
    """A set and the settings of its fits.

    Attributes:
        tickets: Whether it is drawn from the bundled tickets, else from Banking77.
        settings: Settings of the recipe.
        train: Training texts.
        validation: Validation texts.
        wrong: Fraction of the training labels that are replaced by another class.
    """

    tickets: bool
    settings: dict[str, float]
    train: int
    validation: int
    wrong: float = 0.1

    def write(self, dataset: Path | None, seed: int, folder: Path) -> str:
        """Write train.csv, validation.csv and test.csv, and return the path of the first.

        Args:
            dataset: train.csv of Banking77, which has test.csv beside it; unused for tickets.
            seed: Seed of the draw and of the wrong labels.
            folder: Folder in which a folder is made.
        """
        draw = random.Random(seed)
        rows = _rows(_TICKETS if self.tickets else Path(dataset or ""))
        draw.shuffle(rows)
        train, rest = rows[: self.train], rows[self.train :]
        names = sorted({label for _, label in rows})
        for n in draw.sample(range(len(train)), round(self.wrong * len(train))):
            text, label = train[n]
            train[n] = text, draw.choice([name for name in names if name != label])
        validation, rest = rest[: self.validation], rest[self.validation :]
        made = folder / str(seed)
        made.mkdir()
        _write(made / "validation.csv", validation)
        _write(
            made / "test.csv",
            rest if self.tickets else _rows(Path(dataset or "").parent / "test.csv"),
        )
        _write(made / "train.csv", train)
        return str(made / "train.csv")


def _rows(path: Path) -> Rows:
    with open(path, newline="", encoding="utf-8") as file:
        found = [(row["text"], row.get("label") or row["intent"]) for row in csv.DictReader(file)]
    return [(text, label) for text, label in found if path == _TICKETS or label in _INTENTS]


def _write(path: Path, rows: Rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("text", "label"), *rows])


def _settings(epochs: int, rate: float) -> dict[str, float]:
    return {"epochs": epochs, "learning_rate": rate, "trainable_blocks": 2}


SETS = {
    "ten": WrongLabels(False, _settings(8, 3e-4), train=400, validation=250),
    "ten-fast": WrongLabels(False, _settings(8, 1e-3), train=400, validation=250),
    "tickets": WrongLabels(True, _settings(12, 3e-4), train=600, validation=400),
}
