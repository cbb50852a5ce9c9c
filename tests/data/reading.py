"""Reading a table as a dataset, for the tests of this room."""

from kerasft.config import TextConfig
from kerasft.data import read_dataset


def rows(count, classes=("a", "b")):
    lines = [f"text number {i},{classes[i % len(classes)]}" for i in range(count)]
    return "text,label\n" + "\n".join(lines) + "\n"


def read(path, kind=TextConfig, **settings):
    return read_dataset(kind(dataset=str(path), **settings))


def train(path, kind=TextConfig, **settings):
    return read(path, kind, **settings)["train"]
