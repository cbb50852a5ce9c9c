"""Data classes for raw examples and prepared splits."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasft.data_finding import DataFinding
from kerasft.display import progress
from kerasft.errors import BadExamplesError, DataError
from kerasft.formatting import counted
from kerasft.in_memory import content_bytes, is_pixels
from kerasft.paths import file_name
from kerasft.tasks import Labels
from kerasft.threads import in_threads

SPLITS = ("train", "validation", "test")
_TOGETHER = 32  # examples that a thread hashes


class Dropped(NamedTuple):
    """An example that was left out because it cannot be read.

    Attributes:
        origin: Its origin, as in `Examples`.
        reason: Message about it.
        label: Its label, None if that cannot be read.
    """

    origin: str
    reason: str
    label: Any = None


@dataclass(frozen=True, repr=False)
class Examples:
    """Raw examples of one split, in a fixed order.

    Attributes:
        inputs: Images (a path, the bytes of an image file, an image of Pillow, or a uint8 array of
            shape (height, width[, channels])) or texts (a string, or a tuple of two strings).
        labels: Strings for classification, tuples of strings for multi-label, floats for numbers;
            None without labels (prediction).
        origins: Origin of each example, for messages: `cat/1.jpg`, `row 17 of a.csv`.
        dropped: Examples that were left out, with the setting `drop_bad`.

    Example:
        >>> Examples(["good film", "bad film"], ["positive", "negative"], ["row 1", "row 2"])
    """

    inputs: list[Any]
    labels: list[Any] | None
    origins: list[str]
    dropped: tuple[Dropped, ...] = ()

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

    def __repr__(self) -> str:
        return f"<Examples: {len(self):,}{'' if self.labels is None else ' with labels'}>"

    @functools.cached_property
    def content_hashes(self) -> list[str]:
        """SHA-256 of the content of every input; equal hashes are exact duplicates.

        Files are hashed by their bytes, texts without surrounding whitespace in Unicode form NFC.
        """

        def hash_some(start: int) -> list[str | DataError]:
            some = slice(start, start + _TOGETHER)
            return list(map(_hash_or_error, self.inputs[some], self.origins[some]))

        starts, hashes = range(0, len(self), _TOGETHER), list[str | DataError]()
        # Threads read and hash files; for texts they would only wait for the interpreter lock.
        files = any(isinstance(item, Path) for item in self.inputs[:1])
        with progress("hashing examples", len(self)) as bar:
            for found in in_threads(hash_some, starts) if files else map(hash_some, starts):
                hashes += found
                bar.advance(len(found))
        errors = {n: str(found) for n, found in enumerate(hashes) if isinstance(found, DataError)}
        if errors:
            raise BadExamplesError(errors)
        return [str(found) for found in hashes]

    def select(self, indices: Iterable[int], *, dropped: tuple[Dropped, ...] = ()) -> Examples:
        """Return the examples at `indices`, in that order, with a record of those dropped."""
        chosen = [int(i) for i in indices]
        labels = None if self.labels is None else [self.labels[i] for i in chosen]
        inputs = [self.inputs[i] for i in chosen]
        part = Examples(inputs, labels, [self.origins[i] for i in chosen], dropped)
        if "content_hashes" in self.__dict__:
            # Keep the hashes, so that every file is read only once.
            part.__dict__["content_hashes"] = [self.content_hashes[i] for i in chosen]
        return part

    def without(self, reasons: Mapping[int, str]) -> Examples:
        """Return the other examples, with the reasons why these were dropped.

        Args:
            reasons: Message about each example to drop, by its index.
        """
        labels = self.labels or [None] * len(self)
        dropped = [Dropped(self.origins[i], reasons[i], labels[i]) for i in reasons]
        rest = (i for i in range(len(self)) if i not in reasons)
        return self.select(rest, dropped=(*self.dropped, *dropped))


def _hash_or_error(item: Any, origin: str) -> str | DataError:
    try:
        return _content_hash(item, origin)
    except DataError as error:
        return error


def _content_hash(item: Any, origin: str) -> str:
    if isinstance(item, Path):
        try:
            with item.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                f"{file_name(item, origin)} cannot be read: {error.strerror or error}. Check the "
                "file."
            ) from error
    if isinstance(item, bytes) or is_pixels(item):
        return hashlib.sha256(content_bytes(item)).hexdigest()
    texts = item if isinstance(item, tuple) else (item,)
    # "surrogatepass": tokenization reports invalid texts later, with their origin.
    parts = [
        unicodedata.normalize("NFC", str(text).strip()).encode("utf-8", "surrogatepass")
        for text in texts
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


@dataclass(frozen=True, repr=False)
class Split:
    """One split as arrays, ready for `keras.Model.fit`.

    Attributes:
        x: Inputs: uint8 images of shape (n, image_size, image_size, 3), or a dict of int32 arrays
            of shape (n, length), named as by the preset's preprocessor (second texts in a tower of
            their own: with `_pair` at the end).
        y: Targets: int32 of shape (n,) for classification, float32 of 0 and 1 of shape (n,
            classes) for multi-label, float32 of shape (n,) in the target's unit for regression.
        examples: Raw examples in the same order.
    """

    x: Any
    y: np.ndarray
    examples: Examples

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"<Split: {counted(len(self), 'example')}>"


@dataclass(frozen=True, repr=False)
class Data:
    """Prepared data of a recipe.

    Attributes:
        train: Training split.
        validation: Validation split, which selects the best epoch.
        test: Test split, which is evaluated once at the end.
        labels: Meaning of the outputs.
        notes: Notes about the data, one sentence each.
        fingerprint: SHA-256 of the content and labels of all splits.
        audit: Numbers behind the notes: `class_counts` of the training split, `duplicates` between
            splits, the fraction of `truncated` texts, and the splits `made` from the training
            examples.
        findings: Problems and notes that the audit found, the most important first; `notes` has
            their sentences.
        dropped: Examples that were left out, with the setting `drop_bad`.
    """

    train: Split | None
    validation: Split | None
    test: Split | None
    labels: Labels
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    audit: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    findings: tuple[DataFinding, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in SPLITS}
        counts = [f"{len(part):,} {n}" for n, part in parts.items() if isinstance(part, Split)]
        classes = [f"{len(self.labels.names)} classes"] if self.labels.names else []
        return f"<Data: {', '.join([*counts, *classes, self.labels.task])}>"

    @property
    def pairs(self) -> bool:
        """Whether the examples are pairs of texts."""
        parts = (self.train, self.validation, self.test)
        inputs = [part.examples.inputs for part in parts if isinstance(part, Split)]
        return any(isinstance(each[0], tuple) for each in inputs if len(each))
