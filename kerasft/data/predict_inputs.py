"""Read the inputs of `predict`: files, folders, tables, texts, or the lines of an open file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.columns import input_columns, origins
from kerasft.data.examples import Examples
from kerasft.data.folders import scan_images
from kerasft.data.preparation import prepare_inputs
from kerasft.data.symbolic_links import Links
from kerasft.data.table_files import count_rows
from kerasft.data.tables import Table, memory_table, read_table_parts
from kerasft.display import Activity
from kerasft.errors import DataError
from kerasft.in_memory import is_picture, is_table
from kerasft.modalities import Input, InputReaders, modality_of
from kerasft.paths import expanded

OnError = Callable[[DataError], None] | None
ReadLine = Callable[[str, str], Iterator[Input]]
_TOGETHER = 64  # examples that are checked at once when one of them cannot be prepared
_LINES = 8192  # lines of a file that are read at once


def read_inputs(config: Config, inputs: Any, *, pairs: bool = False) -> Examples:
    """Return the inputs of a prediction as examples without labels; see `InputStream`."""
    return examples_of(read_rows(config, inputs, pairs=pairs))


def read_rows(
    config: Config, inputs: Any, *, pairs: bool = False, on_error: OnError = None
) -> list[Input]:
    """Return all inputs of a prediction; see `InputStream`."""
    return list(InputStream(config, pairs=pairs, on_error=on_error).read(inputs))


@dataclass
class InputStream:
    """Reads the inputs of a prediction one after the other; a table is never in memory as a whole.

    Args:
        config: Config of the run, with its modality and columns.
        pairs: Whether the run reads pairs of texts.
        on_error: Function that is called with the error of an input that cannot be read, which is
            then left out; by default the error is raised.
        bar: Activity whose total becomes the number of inputs, None where it is not known.
    """

    config: Config
    _: KW_ONLY
    pairs: bool = False
    on_error: OnError = None
    bar: Activity = field(default_factory=lambda: Activity("", None))

    def read(self, inputs: Any) -> Iterator[Input]:
        """Yield inputs.

        Args:
            inputs: Several inputs, one input, or a table in memory (`kerasft.Dataset`). Images:
                files, folders (all images below, each file once, sorted), tables with an image
                column, bytes of image files, images of Pillow, or uint8 arrays. Texts: texts,
                tables, or .txt files with one text per line. The two texts of a pair are a tuple,
                or separated by a tab. An open file: its lines are texts, or paths of images.

        Yields:
            The inputs; the origin of a text is the text itself.

        Raises:
            DataError: An input was not found or is empty.
        """
        table = is_table(inputs)
        found = self._tried(self._memory(memory_table(inputs))) if table else self._each(inputs)
        first = list(itertools.islice(found, 1))
        if not first and self.on_error is None:
            raise DataError("No inputs to predict. Give at least one input.")
        yield from itertools.chain(first, found)

    def _each(self, inputs: Any) -> Iterator[Input]:
        items, modality = _items(inputs), modality_of(self.config)
        self.bar.total = len(items) if isinstance(items, Sized) else None
        readers = InputReaders(self._folder, self._table, self._lines)

        def read_line(line: str, origin: str) -> Iterator[Input]:
            return modality.read_line(line, origin, readers, pairs=self.pairs)

        def value(item: Any, name: str) -> Iterator[Input]:
            yield Input(modality.check_value(item, name, pairs=self.pairs), name)

        for number, item in enumerate(items, start=1):
            if _has_lines(item):
                self._expect(None)
                found = self._open_file(item, getattr(item, "name", "the open file"), read_line)
            elif isinstance(item, (str, os.PathLike)):
                found = modality.read_input(str(item), readers, pairs=self.pairs)
            else:
                found = value(item, f"Input {number}")
            yield from self._tried(found)

    def _expect(self, count: int | None) -> None:
        """Count the inputs that are read in place of one."""
        total = self.bar.total
        self.bar.total = None if total is None or count is None else total + count - 1

    def _tried(self, found: Iterator[Input]) -> Iterator[Input]:
        """Yield inputs up to one that cannot be read."""
        try:
            yield from found
        except DataError as error:
            if self.on_error is None:
                raise
            self.on_error(error)

    def _folder(self, item: str) -> Iterator[Input]:
        path = expanded(item)
        links = Links(path, inside=False)
        images = scan_images(path, links)
        if not images:
            raise DataError(f"The folder {item} has no images{links.hint()}.")
        self._expect(len(images))
        yield from (Input(image, str(image)) for image in images)

    def _lines(self, path: Path, read_line: ReadLine) -> Iterator[Input]:
        """Yield the inputs in the lines of a text file that can be read."""
        with open(path, "rb") as file:
            self._expect(sum(1 for _ in file))
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            yield from self._open_file(lines, str(path), read_line)

    def _open_file(self, file: Any, name: str, read_line: ReadLine) -> Iterator[Input]:
        number = 0
        try:
            while part := list(itertools.islice(file, _LINES)):
                for number, line in enumerate(part, start=number + 1):  # noqa: B020
                    found = read_line(line.rstrip("\r\n"), f"Line {number} of {name}")
                    yield from self._tried(found)
        except UnicodeDecodeError as error:
            raise DataError(f"A line of {name} is not UTF-8 text. Save it as UTF-8.") from error

    def _table(self, path: Path) -> Iterator[Input]:
        """Yield the inputs in the rows of a table, with the cells of the other columns."""
        size = modality_of(self.config).part_size
        parts = read_table_parts(path, size)
        first = next(parts)
        self._expect(first.num_rows if first.num_rows < size else count_rows(path))
        read = input_columns(self.config, first)
        others = [n for n in first.columns if n not in read and _is_plain(first.columns[n])]
        found = (
            Input(value, origin, {name: _plain(part.columns[name][row]) for name in others})
            for part in itertools.chain([first], parts)
            for row, value, origin in self._rows(part, read)
        )
        yield from self._checked(found, str(path))

    def _memory(self, table: Table) -> Iterator[Input]:
        self.bar.total = table.num_rows
        rows = self._rows(table, input_columns(self.config, table))
        found = (Input(value, origin, row=row) for row, value, origin in rows)
        yield from self._checked(found, str(table.path))

    def _checked(self, found: Iterator[Input], where: str) -> Iterator[Input]:
        """Yield the inputs of a table; the first shows whether the run can read them."""
        first = list(itertools.islice(found, 1))
        values = [item.value for item in first]
        modality_of(self.config).check_inputs(values, where, pairs=self.pairs)
        yield from itertools.chain(first, found)

    def _rows(self, table: Table, columns: Sequence[str]) -> Iterator[tuple[int, Any, str]]:
        """Yield the number, the input and the origin of every row that can be read."""
        read = modality_of(self.config).read_rows
        try:
            values = read(table, columns)
        except DataError:
            if self.on_error is None:
                raise
        else:
            yield from zip(range(table.num_rows), values, origins(table), strict=True)
            return
        for row in range(table.num_rows):
            try:
                (value,) = read(table.select([row]), columns)
            except DataError as error:
                self.on_error(error)
            else:
                yield row, value, table.origin(row)


def _items(inputs: Any) -> Iterable[Any]:
    """Return the inputs one by one; one input alone, such as an image, is the only item."""
    shape: tuple[int, ...] = getattr(inputs, "shape", ())
    gray, color = len(shape) == 2, len(shape) == 3 and shape[-1] in (1, 3, 4)
    alone = isinstance(inputs, (str, bytes, os.PathLike)) or hasattr(inputs, "readlines")
    found: Iterable[Any] = [inputs] if alone or is_picture(inputs) or gray or color else inputs
    return found


def _has_lines(item: Any) -> bool:
    """Return whether an input is an open file, or an iterator over lines."""
    return hasattr(item, "readlines") or isinstance(item, Iterator)


def _is_plain(cells: Sequence[Any]) -> bool:
    """Return whether cells can be written to a table of predictions: not the bytes of files."""
    return not any(isinstance(cell, (bytes, dict)) for cell in cells)


def _plain(cell: Any) -> Any:
    """Return a cell, None for one that cannot be written: its column had others so far."""
    return cell if _is_plain([cell]) else None


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
