"""The dataset as a value: its source, columns and splits."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Any

from kerasft.errors import SettingError
from kerasft.in_memory import is_table, keep_table

# Usual names of the splits.
ALIASES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}


def is_split_name(name: str) -> bool:
    """Return whether a folder or file name usually denotes a split."""
    return any(name.strip().lower() in aliases for aliases in ALIASES.values())


@dataclass(frozen=True)
class Dataset:
    """Dataset of a recipe: source, columns and splits.

    A Config takes it as `dataset`; a string there is `Dataset(string)`. Columns and splits that are
    None are found by their usual names, or by the type of the data.

    Args:
        source: Source of the data: `tfds:NAME`, `builtin:NAME`, a folder of class folders, or a
            table. A table is a file, a DataFrame, or a mapping from column names to lists of
            texts, labels, images of Pillow or uint8 arrays. One in memory is named by its content,
            `memory:...`, and has to be passed again in another process.
        text: Column of the text.
        text_pair: Column of the second text of a pair.
        image: Column of the path or the content of the image.
        label: Column of the label, or several columns of 0 and 1, separated by commas.
        label_separator: Separator of the labels in one cell.
        train: Name of the training split, with TFDS slicing such as `train[:80%]`.
        validation: Name of the validation split.
        test: Name of the test split.
        validation_fraction: Fraction of the training examples, in [0.01, 0.5], held out for
            validation if the dataset has no validation split.
        test_fraction: Fraction held out for testing if the dataset has no test split.
        data_dir: Folder of TFDS datasets; None for the default of TFDS.

    Raises:
        SettingError: The source is a list, or another collection without columns.
        DataError: A table in memory has no rows, or columns of different lengths.

    Example:
        >>> Dataset("tfds:glue/mrpc", text="sentence1", text_pair="sentence2", test="validation")
        >>> Dataset({"image": images, "label": names}, validation_fraction=0.2)
    """

    source: str | Any
    _: KW_ONLY
    text: str | None = None
    text_pair: str | None = None
    image: str | None = None
    label: str | None = None
    label_separator: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    data_dir: str | None = None

    def __post_init__(self) -> None:
        """Keep a table in memory under its name, and paths as text."""
        source = self.source
        if is_table(source):
            object.__setattr__(self, "source", keep_table(source))
        elif isinstance(source, os.PathLike):
            object.__setattr__(self, "source", os.fspath(source))
        elif hasattr(source, "__iter__") and not isinstance(source, str):
            raise SettingError(
                f"`dataset` is of type {type(source).__name__}, but must be a source or a table "
                "with columns. Name the columns: {'image': images, 'label': labels}."
            )

    def without_splits(self) -> Dataset:
        """Return the same dataset without the names of its splits."""
        return replace(self, train=None, validation=None, test=None)

    def __repr__(self) -> str:
        """Return the call that makes it, without defaults."""
        _, *others = fields(self)
        given = [(item.name, getattr(self, item.name), item.default) for item in others]
        words = [f"{name}={value!r}" for name, value, default in given if value != default]
        return f"{type(self).__qualname__}({', '.join([repr(self.source), *words])})"

    def __str__(self) -> str:
        """Return the source, the name of the dataset in messages."""
        return str(self.source)
