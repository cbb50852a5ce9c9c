"""The dataset as a value: where it is, what its columns and splits are called."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class Dataset:
    """What a recipe is fine-tuned on. Two equal values are read in the same way.

    A Config takes it as `dataset`; a string there is `Dataset(string)`. What is None is found by
    its usual name, or by the type of the data.

    Args:
        source: `tfds:NAME`, `builtin:NAME`, a folder of class folders, or a table.
        text: Column of the text.
        text_pair: Column of the second text of a pair.
        image: Column of the path or the content of the image.
        label: Column of the label, or several with commas (0 or 1 each).
        label_separator: What divides the labels of one cell.
        train: Name of the training split, with TFDS slicing such as `train[:80%]`.
        validation: Name of the validation split.
        test: Name of the test split.
        validation_fraction: Share of the training examples, in [0.01, 0.5], that becomes the
            validation split where there is none.
        test_fraction: The same for the test split.
        data_dir: Folder in which TFDS keeps its datasets.

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

    def __str__(self) -> str:
        """Return the source, by which messages call the dataset."""
        return str(self.source)
