"""What `predict` is given: files, folders, tables or texts, brought to examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config, ImageConfig
from kerasft.data.columns import origins, read_inputs_of
from kerasft.data.examples import Examples
from kerasft.data.folders import scan_images
from kerasft.data.links import Links
from kerasft.data.tables import read_table
from kerasft.dataset_lookup import TABLE_EXTENSIONS
from kerasft.errors import DataError
from kerasft.paths import expanded


def read_inputs(config: Config, inputs: Sequence[str], *, pairs: bool = False) -> Examples:
    """Read what is to be predicted.

    Args:
        config: The settings of the run: its columns, and whether it takes images or texts.
        inputs: For images files, folders (all images below, each file once, sorted) and tables
            with an image column; for texts the texts themselves, tables, and .txt files with one
            text a line. Where texts are pairs, a tab stands between the two.
        pairs: Whether the run reads pairs of texts.

    Returns:
        Examples without labels. The origin of a text is the text itself.

    Raises:
        DataError: An input does not exist or holds nothing.
    """
    found: list[tuple[Any, str]] = []
    for item in map(str, inputs):
        if isinstance(config, ImageConfig):
            found.extend(_image_inputs(config, item))
        else:
            found.extend(_text_inputs(config, item, pairs))
    if not found:
        raise DataError("There is nothing to predict: give at least one input.")
    return Examples([item for item, _ in found], None, [origin for _, origin in found])


def check_pairs(inputs: Sequence[Any], where: str, *, pairs: bool) -> None:
    """Raise DataError where single texts are given for pairs, or pairs for single texts."""
    if len(inputs) and isinstance(inputs[0], tuple) != pairs:
        raise DataError(
            f"The run reads pairs of texts, and {where} has one text a row: it must have both "
            "columns that the run was trained on. Pairs with a tab between them can be predicted "
            "from a .txt file."
            if pairs
            else f"The run reads single texts, and {where} has pairs."
        )


def _image_inputs(config: Config, item: str) -> Iterator[tuple[Any, str]]:
    path = expanded(item)
    if path.is_dir():
        links = Links(path, inside=False)
        images = scan_images(path, links)
        if not images:
            raise DataError(f"The folder {item} has no images{links.hint()}.")
        yield from ((image, str(image)) for image in images)
    elif not path.is_file():
        raise DataError(
            f"There is no file or folder {item!r}. Give images, folders of images, or a table with "
            "an image column."
        )
    elif path.suffix.lower() in TABLE_EXTENSIONS:
        yield from _table_inputs(config, path)
    else:
        yield path, item


def _text_inputs(config: Config, item: str, pairs: bool) -> Iterator[tuple[Any, str]]:
    if _is(item, Path.is_dir):
        raise DataError(
            f"The run reads texts, not the folder {item!r}. Texts, tables and .txt files can be "
            "predicted."
        )
    suffix = Path(item).suffix.lower() if len(item) < 1000 and "\n" not in item else ""
    readable = suffix in (*TABLE_EXTENSIONS, ".txt")
    is_file = _is(item, Path.is_file)
    if not is_file and (not readable or len(item.split()) > 1):
        yield _text(item, "The input", pairs), item
        return
    path = expanded(item)
    if not readable or not is_file:
        what = "The run reads texts, not the file" if is_file else "There is no file"
        raise DataError(f"{what} {item!r}. Texts, tables and .txt files can be predicted.")
    if suffix != ".txt":
        rows = list(_table_inputs(config, path))
        check_pairs([row for row, _ in rows[:1]], item, pairs=pairs)
        yield from rows
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{item} is not UTF-8 text. Save it as UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _text(line.rstrip("\r"), f"Line {number} of {item}", pairs), line.rstrip("\r")


def _is(item: str, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(expanded(item))
    except OSError:  # too long for a path
        return False


def _text(text: str, origin: str, pairs: bool) -> str | tuple[str, str]:
    if not text.strip():
        raise DataError(f"{origin} is empty: give a text.")
    if not pairs:
        return text
    first, tab, second = text.partition("\t")
    if not tab or not first.strip() or not second.strip():
        raise DataError(
            f"{origin} must be two texts with a tab between them. Received: {text!r:.80}."
        )
    return first, second


def _table_inputs(config: Config, path: Path) -> Iterator[tuple[Any, str]]:
    table = read_table(path)
    yield from zip(read_inputs_of(config, table), origins(table), strict=True)
