"""The dataset as a value: its source, columns and splits."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields, replace


@dataclass(frozen=True)
class Dataset:
    """Dataset of a recipe: source, columns and splits.

    A Config takes it as `dataset`; a string there is `Dataset(string)`. Columns and splits that are
    None are found by their usual names, or by the type of the data.

    Args:
        source: Source of the data: `tfds:NAME`, `builtin:NAME`, a folder of class folders, or a
            table.
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

    Example:
        >>> Dataset("tfds:glue/mrpc", text="sentence1", text_pair="sentence2", test="validation")
    """

    source: str
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
