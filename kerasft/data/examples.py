"""The values of this room: raw examples, prepared splits."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.errors import DataError
from kerasft.tasks import Labels

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """Raw examples of one split, in a fixed order.

    Attributes:
        inputs: For images a path, the bytes of an image file, or a uint8 array of shape
            (height, width[, channels]); for texts a string or a tuple of two strings.
        labels: For classification a string, for multi-label a tuple of strings, for a number a
            float; None where the labels are not known (prediction).
        origins: Where each example comes from, for messages: `cat/1.jpg`, `row 17 of a.csv`.

    Example:
        >>> Examples(["good film", "bad film"], ["positive", "negative"], ["row 1", "row 2"])
    """

    inputs: list[Any]
    labels: list[Any] | None
    origins: list[str]

    def __post_init__(self) -> None:
        lengths = {len(self.inputs), len(self.origins)}
        lengths |= set() if self.labels is None else {len(self.labels)}
        if len(lengths) > 1:
            raise DataError(
                "Inputs, labels and origins of Examples must have the same length. Received: "
                f"{len(self.inputs)}, {'None' if self.labels is None else len(self.labels)} and "
                f"{len(self.origins)}."
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @functools.cached_property
    def content_hashes(self) -> list[str]:
        """SHA-256 of the content of every input: equal hashes are exact duplicates.

        Files count by their bytes, texts without outer white space and in Unicode's form NFC.
        """
        return [_content_hash(item, self.origins[i]) for i, item in enumerate(self.inputs)]

    def select(self, indices: Iterable[int]) -> Examples:
        """Return the examples at `indices`, in that order."""
        chosen = [int(i) for i in indices]
        labels = None if self.labels is None else [self.labels[i] for i in chosen]
        inputs = [self.inputs[i] for i in chosen]
        part = Examples(inputs, labels, [self.origins[i] for i in chosen])
        if "content_hashes" in self.__dict__:
            # Every file is read once for its hash, however often the examples are divided.
            part.__dict__["content_hashes"] = [self.content_hashes[i] for i in chosen]
        return part


def _content_hash(item: Any, origin: str) -> str:
    if isinstance(item, Path):
        try:
            with item.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{origin} cannot be read: {error.strerror or error}.") from error
    if isinstance(item, bytes):
        return hashlib.sha256(item).hexdigest()
    if isinstance(item, np.ndarray):
        shape = repr((item.shape, item.dtype.str)).encode()
        return hashlib.sha256(shape + np.ascontiguousarray(item).tobytes()).hexdigest()
    texts = item if isinstance(item, tuple) else (item,)
    # "surrogatepass": whether a text can be tokenized is said later, with its origin.
    parts = [
        unicodedata.normalize("NFC", str(text).strip()).encode("utf-8", "surrogatepass")
        for text in texts
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


@dataclass(frozen=True)
class Split:
    """One split as arrays, ready for `keras.Model.fit`.

    Attributes:
        x: Images as uint8, shape (n, image_size, image_size, 3); texts as a dict of int32 arrays
            of shape (n, length), as the preset's preprocessor names them.
        y: int32 of shape (n,) for classification, float32 of 0 and 1 of shape (n, classes) for
            multi-label, float32 of shape (n,) in the target's own unit for regression.
        examples: What they were made from, in the same order.
    """

    x: Any
    y: np.ndarray
    examples: Examples

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Data:
    """Everything a recipe fine-tunes on.

    Attributes:
        train: The examples that are trained on.
        validation: The examples that pick the best epoch.
        test: The examples that are measured once, at the end.
        labels: What the outputs mean.
        notes: What a person should know about the data, one sentence each.
        fingerprint: SHA-256 over the content and the labels of all splits.
        audit: The same as the notes in numbers: `class_counts` of the training split,
            `duplicates` between splits, the share of texts that were `truncated`, and which
            splits were `made` out of the training examples.
    """

    train: Split | None
    validation: Split | None
    test: Split | None
    labels: Labels
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    audit: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def pairs(self) -> bool:
        """Return whether the examples are pairs of texts."""
        parts = (self.train, self.validation, self.test)
        inputs = [part.examples.inputs for part in parts if isinstance(part, Split)]
        return any(isinstance(each[0], tuple) for each in inputs if len(each))
