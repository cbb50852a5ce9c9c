"""Makes a dataset of short English texts by topic from the quotations of the program fortune.

SOURCE is the folder of its files, one for each topic (`/usr/share/games/fortunes` of the package
`fortunes`, release 1.99.1). Writes `train.csv` and `test.csv` to TARGET: texts of 21 to 399
characters, at most 150 for training and 60 for testing of each topic. None of it is part of this
project.

    python -m tests.benchmarks.fortunes SOURCE DATA/fortunes
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

TOPICS = (
    "art", "computers", "drugs", "education", "food", "kids", "law", "love", "medicine",
    "men-women", "pets", "politics", "science", "songs-poems", "sports", "startrek", "wisdom",
    "work",
)  # fmt: skip
LENGTHS = range(21, 400)  # characters


def read_topic(path: Path) -> list[str]:
    """Returns the texts of a file of the program fortune, each once."""
    texts = path.read_text(encoding="utf-8", errors="replace").split("\n%\n")
    plain = dict.fromkeys(" ".join(text.split()) for text in texts)
    return [text for text in plain if len(text) in LENGTHS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    a = parser.parse_args()
    draw = random.Random(0)
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for topic in TOPICS:
        texts = read_topic(a.source / topic)
        draw.shuffle(texts)
        tested = min(60, len(texts) // 3)
        rows["test"] += [(text, topic) for text in texts[:tested]]
        rows["train"] += [(text, topic) for text in texts[tested:][:150]]
    a.target.mkdir(parents=True, exist_ok=True)
    for split, examples in rows.items():
        draw.shuffle(examples)
        with open(a.target / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "category"), *examples])
        print(f"{split}: {len(examples)} texts")


if __name__ == "__main__":
    main()
