"""From the columns of a table to examples: which column is what, and what its cells mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config, ImageConfig
from kerasft.data.examples import Examples
from kerasft.data.images import image_extensions
from kerasft.data.tables import Table, is_empty
from kerasft.errors import DataError, did_you_mean
from kerasft.paths import expanded
from kerasft.settings import settings
from kerasft.tasks import task_of

TEXT_NAMES = (
    "text", "sentence", "content", "message", "review", "question", "title", "document", "body",
)  # fmt: skip
IMAGE_NAMES = ("image", "path", "file", "filename", "filepath", "image_path", "photo")
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "intent", "topic", "sentiment", "y",
    "score", "rating", "price",
)  # fmt: skip


def table_examples(config: Config, table: Table) -> Examples:
    """Return the rows of a table as examples with labels.

    Args:
        config: Names of the columns and the task; columns without a setting are found by name.
        table: The rows.

    Raises:
        DataError: A column is missing, or a cell is empty or has no meaning for the task.
    """
    labels = read_labels(config, table)
    return Examples(read_inputs_of(config, table), labels, origins(table))


def origins(table: Table) -> list[str]:
    """Return what messages call the rows."""
    return [table.origin(row) for row in range(table.num_rows)]


def read_inputs_of(config: Config, table: Table) -> list[Any]:
    """Return the texts, pairs of texts or images of a table's rows."""
    if isinstance(config, ImageConfig):
        column = find_column(config, table, "image_column", IMAGE_NAMES)
        return _images(table, column)
    column = find_column(config, table, "text_column", TEXT_NAMES)
    texts = _texts(table, column)
    if config.dataset.text_pair is None:
        return texts
    second = _texts(table, find_column(config, table, "text_pair_column", ()))
    return list(zip(texts, second, strict=True))


def find_column(config: Config, table: Table, setting: str, known: Sequence[str]) -> str:
    """Return the column that a setting names, or the first one with a usual name.

    Raises:
        DataError: There is no such column.
    """
    named = getattr(config, setting)
    option = f"--{setting.replace('_', '-')}"
    present = ", ".join(table.columns)
    if named is not None:
        if named in table.columns:
            return named
        raise DataError(
            f"{table.path} has no column {named!r}.{did_you_mean(named, table.columns)} Its "
            f"columns are: {present}. Name the right one with {option}."
        )
    lower = {name.lower(): name for name in reversed(table.columns)}
    for name in known:
        if name in lower:
            return lower[name]
    pictures = [name for name in table.columns if _names_images(table.columns[name])]
    if setting == "image_column" and len(pictures) == 1:
        return pictures[0]
    kind = setting.removesuffix("_column").replace("_", " ")
    raise DataError(
        f"{table.path} has no column that is known to hold the {kind}. Its columns are: {present}. "
        f"Name it with {option}."
    )


def _names_images(cells: list[Any]) -> bool:
    return all(
        isinstance(cell, str) and Path(cell).suffix.lower() in image_extensions() for cell in cells
    )


def describe_columns(config: Config, table: Table) -> list[str]:
    """Return a note about the columns that were chosen by their name, where others were left."""
    image = isinstance(config, ImageConfig)
    setting, known = ("image_column", IMAGE_NAMES) if image else ("text_column", TEXT_NAMES)
    chosen = {setting: find_column(config, table, setting, known)}
    labels = _label_columns(config, table)
    if len(labels) == 1:
        chosen["label_column"] = labels[0]
    by_name = {n: c for n, c in chosen.items() if getattr(config, n) is None}
    usual = {name: item.default for name, item in settings(type(config)).items()}
    notes = []
    # Of two columns there is no doubt, unless the recipe names another of its own data.
    if by_name and (len(table.columns) > 2 or any(usual[name] for name in by_name)):
        told = [f"{n.removesuffix('_column')} from column {c!r}" for n, c in by_name.items()]
        notes.append(f"Found by name in {table.path.name}: {', '.join(told)}.")
    if usual.get("text_pair_column") and config.dataset.text_pair is None:
        notes.append(
            f"Single texts are read from {table.path.name}, no pairs: --text-pair-column names the "
            "second text."
        )
    return notes


def _texts(table: Table, column: str) -> list[str]:
    texts = table.columns[column]
    for row, text in enumerate(texts):
        if is_empty(text):
            raise DataError(
                f"{_capital(table, row)} has no text in column {column!r}: fill it in or delete "
                "the row."
            )
        if not isinstance(text, str):
            raise DataError(
                f"{_capital(table, row)} must have text in column {column!r}. Received: "
                f"{text!r:.80}. Name the column of the texts with --text-column."
            )
    return texts


def _capital(table: Table, row: int) -> str:
    origin = table.origin(row)
    return origin[0].upper() + origin[1:]


def _images(table: Table, column: str) -> list[Any]:
    stems: dict[Path, dict[str, list[Path]]] = {}
    return [_image(table, column, row, stems) for row in range(table.num_rows)]


def _image(table: Table, column: str, row: int, stems: dict[Path, dict[str, list[Path]]]) -> Any:
    value = table.columns[column][row]
    if isinstance(value, dict):  # as Hugging Face writes images into Parquet
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return value
    if is_empty(value) or not isinstance(value, str):
        raise DataError(
            f"{_capital(table, row)} has no image in column {column!r}: fill it in or delete the "
            "row."
        )
    path = table.path.parent / expanded(value.strip())
    if path.is_file():
        return path
    found = _with_extension(path, stems)
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} images have that name" if found else "there is no such file"
    raise DataError(
        f"{_capital(table, row)} names the image {value!r}, but {why}. Paths are relative to the "
        f"table's folder {table.path.parent}."
    )


def _with_extension(path: Path, stems: dict[Path, dict[str, list[Path]]]) -> list[Path]:
    """Return the images in the path's folder with its name and an ending; lists a folder once."""
    if path.parent not in stems:
        by_name: dict[str, list[Path]] = {}
        for other in path.parent.iterdir() if path.parent.is_dir() else ():
            if other.suffix.lower() in image_extensions() and other.is_file():
                by_name.setdefault(other.stem, []).append(other)
        stems[path.parent] = by_name
    return stems[path.parent].get(path.name, [])


def read_labels(config: Config, table: Table) -> list[Any]:
    """Return the labels of all rows in the form of the task.

    Strings for classification, sorted tuples of strings for multi-label, floats for numbers.
    """
    columns = _label_columns(config, table)
    return task_of(config.task).read_column(table, columns, config.label_separator)


def _label_columns(config: Config, table: Table) -> list[str]:
    named = config.label_column
    parts = [part.strip() for part in named.split(",")] if named else []
    if len(parts) < 2 or named in table.columns:
        return [find_column(config, table, "label_column", LABEL_NAMES)]
    for part in parts:
        if part not in table.columns:
            raise DataError(
                f"{table.path} has no column {part!r}.{did_you_mean(part, table.columns)} Its "
                f"columns are: {', '.join(table.columns)}. Name the labels with --label-column."
            )
    return parts
