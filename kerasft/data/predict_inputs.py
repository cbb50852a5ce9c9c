"""Read the inputs of `predict`: files, folders, tables or texts."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.columns import origins, read_inputs_of
from kerasft.data.examples import Examples
from kerasft.data.folders import scan_images
from kerasft.data.links import Links
from kerasft.data.tables import memory_table, read_table
from kerasft.errors import DataError
from kerasft.in_memory import is_picture, is_table
from kerasft.modalities import InputReaders, modality_of
from kerasft.modalities.texts import check_pairs
from kerasft.paths import expanded


def read_inputs(config: Config, inputs: Any, *, pairs: bool = False) -> Examples:
    """Read the inputs of a prediction.

    Args:
        config: Config of the run, with its modality and columns.
        inputs: Inputs in a sequence, one input, or a table in memory (`kerasft.Dataset`). Images:
            files, folders (all images below, each file once, sorted), tables with an image column,
            bytes of image files, images of Pillow, or uint8 arrays. Texts: texts, tables, or .txt
            files with one text per line. The two texts of a pair are a tuple, or separated by a
            tab.
        pairs: Whether the run reads pairs of texts.

    Returns:
        Examples without labels; the origin of a text is the text itself.

    Raises:
        DataError: An input was not found or is empty.
    """
    modality = modality_of(config)
    readers = InputReaders(_folder_inputs, functools.partial(_table_inputs, config))
    found: list[tuple[Any, str]] = []
    if is_table(inputs):
        table = memory_table(inputs)
        found = list(zip(read_inputs_of(config, table), origins(table), strict=True))
        check_pairs([item for item, _ in found[:1]], str(table.path), pairs=pairs)
        inputs = ()
    for number, item in enumerate(_each(inputs), start=1):
        if isinstance(item, (str, os.PathLike)):
            found.extend(modality.read_input(str(item), readers, pairs=pairs))
        else:
            name = f"Input {number}"
            found.append((modality.check_value(item, name, pairs=pairs), name))
    if not found:
        raise DataError("No inputs to predict. Give at least one input.")
    return Examples([item for item, _ in found], None, [origin for _, origin in found])


def _each(inputs: Any) -> Sequence[Any]:
    """Return the inputs as a sequence; one input alone, such as an image, is the only item."""
    shape: tuple[int, ...] = getattr(inputs, "shape", ())
    gray, color = len(shape) == 2, len(shape) == 3 and shape[-1] in (1, 3, 4)
    alone = isinstance(inputs, (str, bytes, os.PathLike)) or is_picture(inputs)
    return [inputs] if alone or gray or color else list(inputs)


def _folder_inputs(item: str) -> Iterator[tuple[Any, str]]:
    path = expanded(item)
    links = Links(path, inside=False)
    images = scan_images(path, links)
    if not images:
        raise DataError(f"The folder {item} has no images{links.hint()}.")
    yield from ((image, str(image)) for image in images)


def _table_inputs(config: Config, path: Path) -> Iterator[tuple[Any, str]]:
    table = read_table(path)
    yield from zip(read_inputs_of(config, table), origins(table), strict=True)
