"""Values that modalities, data and serving exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from kerasft.data_finding import DataFinding


class Input(NamedTuple):
    """One input of a prediction.

    Attributes:
        value: The input, in the form of `kerasft.Examples`.
        origin: Its name in messages.
        columns: Other cells of its row, for an input from a table in a file.
        row: Number of its row, from 0, for an input from a table in memory.
    """

    value: Any
    origin: str
    columns: Mapping[str, Any] = MappingProxyType({})
    row: int = 0


# (setting, usual names in lower case, check of the cells) -> column of a table
FindColumn = Callable[[str, Sequence[str], Callable[[list[Any]], bool]], str]


class Serving(NamedTuple):
    """Preparation of raw inputs in a TensorFlow graph.

    Attributes:
        signature: `tf.TensorSpec` of each raw input, whose first dimension is the batch.
        prepare: Function from raw inputs to what the model reads, and to an error message for each
            of them, empty for an input that can be read. Something harmless replaces the others.
        layers: Keras layers that the function uses.
    """

    signature: list[Any]
    prepare: Callable[..., tuple[Any, Any]]
    layers: list[Any]


class InputReaders(NamedTuple):
    """Functions of `kerasft.data` that read the inputs of `predict`.

    Attributes:
        folder: Function that yields all images below a folder, each file once.
        table: Function that yields the inputs in the rows of a table.
        lines: Function that yields the inputs in the lines of a text file; its second argument
            reads a line, of which it gets the text and the name.
    """

    folder: Callable[[str], Iterator[Input]]
    table: Callable[[Path], Iterator[Input]]
    lines: Callable[[Path, Callable[[str, str], Iterator[Input]]], Iterator[Input]]


class InputAudit(NamedTuple):
    """What an audit of inputs found.

    Attributes:
        findings: Faults of single inputs.
        alike: Groups of inputs that look or read alike, as positions in the concatenated splits.
    """

    findings: list[DataFinding]
    alike: list[list[int]]
