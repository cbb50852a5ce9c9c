"""From the columns of a table to examples: which column is what, and what its cells mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data.tables import Table
from kerasft.errors import DataError, did_you_mean
from kerasft.modalities import modality_of
from kerasft.modalities.image_decoding import image_extensions
from kerasft.settings import settings
from kerasft.tasks import task_of

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
    modality = modality_of(config)
    column = find_column(config, table, modality.column, modality.column_names)
    inputs = modality.read_column(table, column)
    pair = modality.pair_column
    if not pair or config.dataset.text_pair is None:
        return inputs
    second = modality.read_column(table, find_column(config, table, pair, ()))
    return list(zip(inputs, second, strict=True))


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
    modality = modality_of(config)
    chosen = {modality.column: find_column(config, table, modality.column, modality.column_names)}
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
