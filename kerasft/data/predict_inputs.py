"""Read the inputs of `predict`: files, folders, tables or texts."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.columns import origins, read_inputs_of
from kerasft.data.examples import Examples
from kerasft.data.folders import scan_images
from kerasft.data.links import Links
from kerasft.data.tables import read_table
from kerasft.errors import DataError
from kerasft.modalities import InputReaders, modality_of
from kerasft.paths import expanded


def read_inputs(config: Config, inputs: Sequence[str], *, pairs: bool = False) -> Examples:
    """Read the inputs of a prediction.

    Args:
        config: Config of the run, with its modality and columns.
        inputs: Images: files, folders (all images below, each file once, sorted) or tables with an
            image column. Texts: texts, tables, or .txt files with one text per line. The two texts
            of a pair are separated by a tab.
        pairs: Whether the run reads pairs of texts.

    Returns:
        Examples without labels; the origin of a text is the text itself.

    Raises:
        DataError: An input was not found or is empty.
    """
    modality = modality_of(config)
    readers = InputReaders(_folder_inputs, functools.partial(_table_inputs, config))
    found: list[tuple[Any, str]] = []
    for item in map(str, inputs):
        found.extend(modality.read_input(item, readers, pairs=pairs))
    if not found:
        raise DataError("No inputs to predict. Give at least one input.")
    return Examples([item for item, _ in found], None, [origin for _, origin in found])


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
