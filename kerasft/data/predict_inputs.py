"""Read the inputs of `predict`: files, folders, tables, texts, or the lines of an open file."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.columns import input_columns, origins, read_inputs_of
from kerasft.data.examples import Examples
from kerasft.data.folders import scan_images
from kerasft.data.preparation import prepare_inputs
from kerasft.data.symbolic_links import Links
from kerasft.data.tables import Table, memory_table, read_table
from kerasft.errors import DataError
from kerasft.in_memory import is_picture, is_table
from kerasft.modalities import Input, InputReaders, Modality, modality_of
from kerasft.paths import expanded

OnError = Callable[[DataError], None] | None
_TOGETHER = 64  # examples that are checked at once when one of them cannot be prepared


def read_inputs(config: Config, inputs: Any, *, pairs: bool = False) -> Examples:
    """Return the inputs of a prediction as examples without labels; see `read_rows`."""
    return examples_of(read_rows(config, inputs, pairs=pairs))


def read_rows(
    config: Config, inputs: Any, *, pairs: bool = False, on_error: OnError = None
) -> list[Input]:
    """Read the inputs of a prediction.

    Args:
        config: Config of the run, with its modality and columns.
        inputs: Inputs in a sequence, one input, or a table in memory (`kerasft.Dataset`). Images:
            files, folders (all images below, each file once, sorted), tables with an image column,
            bytes of image files, images of Pillow, or uint8 arrays. Texts: texts, tables, or .txt
            files with one text per line. The two texts of a pair are a tuple, or separated by a
            tab. An open file: its lines are texts, or paths of images.
        pairs: Whether the run reads pairs of texts.
        on_error: Function that is called with the error of an input that cannot be read, which is
            then left out; by default the error is raised.

    Returns:
        The inputs; the origin of a text is the text itself.

    Raises:
        DataError: An input was not found or is empty.
    """
    modality = modality_of(config)
    readers = InputReaders(
        _folder_inputs,
        functools.partial(_table_inputs, config, on_error),
        functools.partial(_line_inputs, on_error),
    )
    found: list[Input] = []
    if is_table(inputs):
        table = memory_table(inputs)
        rows = _rows(config, table, on_error)
        found = [Input(value, origin, row=row) for row, value, origin in rows]
        modality.check_inputs([item.value for item in found[:1]], str(table.path), pairs=pairs)
        inputs = ()
    for number, item in enumerate(_each(inputs), start=1):
        for read in _readers(item, number, modality, readers, pairs):
            found += _tried(read, on_error)
    if not found and on_error is None:
        raise DataError("No inputs to predict. Give at least one input.")
    return found


def _each(inputs: Any) -> Sequence[Any]:
    """Return the inputs as a sequence; one input alone, such as an image, is the only item."""
    shape: tuple[int, ...] = getattr(inputs, "shape", ())
    gray, color = len(shape) == 2, len(shape) == 3 and shape[-1] in (1, 3, 4)
    alone = isinstance(inputs, (str, bytes, os.PathLike)) or hasattr(inputs, "readlines")
    return [inputs] if alone or is_picture(inputs) or gray or color else list(inputs)


def _readers(
    item: Any, number: int, modality: Modality, readers: InputReaders, pairs: bool
) -> Iterator[Callable[[], Iterator[Input]]]:
    """Yield the functions that read one input; of an open file, one for each of its lines."""
    if isinstance(item, (str, os.PathLike)):
        yield functools.partial(modality.read_input, str(item), readers, pairs=pairs)
    elif hasattr(item, "readlines"):
        for line, origin in _lines(item):
            yield functools.partial(modality.read_line, line, origin, readers, pairs=pairs)
    else:
        name = f"Input {number}"
        yield lambda: iter([Input(modality.check_value(item, name, pairs=pairs), name)])


def examples_of(inputs: Sequence[Input]) -> Examples:
    """Return inputs as examples without labels."""
    return Examples([item.value for item in inputs], None, [item.origin for item in inputs])


def readable(config: Config, inputs: Sequence[Input], on_error: OnError) -> list[Input]:
    """Return the inputs that can be prepared: decoded and resized, or tokenized.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).
        inputs: Inputs of a prediction.
        on_error: Function that is called with the error of every other input.
    """
    parts = [inputs[start : start + _TOGETHER] for start in range(0, len(inputs), _TOGETHER)]
    return [item for part in parts for item in _readable_part(config, part, on_error)]


def _readable_part(config: Config, inputs: Sequence[Input], on_error: OnError) -> list[Input]:
    try:
        prepare_inputs(config, examples_of(inputs))
    except DataError as error:
        if len(inputs) > 1:
            middle = len(inputs) // 2
            halves = inputs[:middle], inputs[middle:]
            return [item for half in halves for item in _readable_part(config, half, on_error)]
        if on_error is None:
            raise
        on_error(error)
        return []
    return list(inputs)


def _tried(read: Callable[[], Iterator[Input]], on_error: OnError) -> list[Input]:
    """Return the inputs that a function yields; none if they cannot be read."""
    try:
        return list(read())
    except DataError as error:
        if on_error is None:
            raise
        on_error(error)
        return []


def _lines(file: Any) -> Iterator[tuple[str, str]]:
    """Yield the lines of an open file, with their names in messages."""
    name = getattr(file, "name", "the open file")
    for number, line in enumerate(file, start=1):
        yield line.rstrip("\r\n"), f"Line {number} of {name}"


def _folder_inputs(item: str) -> Iterator[Input]:
    path = expanded(item)
    links = Links(path, inside=False)
    images = scan_images(path, links)
    if not images:
        raise DataError(f"The folder {item} has no images{links.hint()}.")
    yield from (Input(image, str(image)) for image in images)


def _table_inputs(config: Config, on_error: OnError, path: Path) -> Iterator[Input]:
    """Yield the inputs in the rows of a table, with the cells of the other columns."""
    table = read_table(path)
    read = set(input_columns(config, table))
    others = [name for name in table.columns if name not in read and _is_plain(table, name)]
    for row, value, origin in _rows(config, table, on_error):
        yield Input(value, origin, {name: table.columns[name][row] for name in others})


def _line_inputs(
    on_error: OnError, path: Path, read_line: Callable[[str, str], Iterator[Input]]
) -> Iterator[Input]:
    """Yield the inputs in the lines of a text file that can be read."""
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            lines = list(_lines(file))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    for line, origin in lines:
        yield from _tried(functools.partial(read_line, line, origin), on_error)


def _is_plain(table: Table, column: str) -> bool:
    """Return whether a column can be written to a table of predictions: not the bytes of files."""
    return not any(isinstance(cell, (bytes, dict)) for cell in table.columns[column])


def _rows(config: Config, table: Table, on_error: OnError) -> Iterator[tuple[int, Any, str]]:
    """Yield the number, the input and the origin of every row that can be read."""
    try:
        values = read_inputs_of(config, table)
    except DataError:
        if on_error is None:
            raise
    else:
        yield from zip(range(table.num_rows), values, origins(table), strict=True)
        return
    for row in range(table.num_rows):
        try:
            (value,) = read_inputs_of(config, table.row(row))
        except DataError as error:
            on_error(error)
        else:
            yield row, value, table.origin(row)
