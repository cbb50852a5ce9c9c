"""Find the input and label columns of a table, and convert its rows to examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import Dropped, Examples
from kerasft.data.tables import Table
from kerasft.errors import BadExamplesError, DataError, did_you_mean
from kerasft.formatting import option_name
from kerasft.modalities import modality_of
from kerasft.setting_declaration import settings
from kerasft.tasks import task_of

LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "intent", "topic", "sentiment", "y",
    "score", "rating", "price",
)  # fmt: skip


def table_examples(config: Config, table: Table) -> tuple[Examples, Table]:
    """Return the rows of a table as examples with labels, and the table of these rows.

    With `drop_bad`, rows that cannot be read are left out.

    Args:
        config: Config with the task and the column names; unset columns are found by name.
        table: Table of examples.

    Raises:
        DataError: A column is missing, or a cell is empty or not valid for the task.
    """
    dropped: list[Dropped] = []
    labels: list[Any] = []
    while True:
        try:
            labels = read_labels(config, table)
            inputs = modality_of(config).read_rows(table, input_columns(config, table))
        except BadExamplesError as error:
            if not config.drop_bad or len(error.reasons) == table.num_rows:
                raise
            known = labels if len(labels) == table.num_rows else [None] * table.num_rows
            dropped += [
                Dropped(table.origin(row), reason, known[row])
                for row, reason in error.reasons.items()
            ]
            table = table.select([n for n in range(table.num_rows) if n not in error.reasons])
        else:
            return Examples(inputs, labels, origins(table), tuple(dropped)), table


def origins(table: Table) -> list[str]:
    """Return the names of the rows in messages."""
    return [table.origin(row) for row in range(table.num_rows)]


def _never(cells: list[Any]) -> bool:
    return False


def find_column(
    config: Config,
    table: Table,
    setting: str,
    known: Sequence[str],
    looks_right: Callable[[list[Any]], bool] = _never,
) -> str:
    """Return the column of a setting, or by default the first column with a usual name.

    Without both, a column is found by its cells if it is the only one.

    Args:
        config: Config with the setting.
        table: Table to search.
        setting: Name of the setting for the column.
        known: Usual names of the column, in lower case.
        looks_right: Function that returns whether the cells can be those of the column.

    Raises:
        DataError: The column was not found.
    """
    named: str | None = getattr(config, setting)
    option = option_name(setting)
    present = ", ".join(table.columns)
    if named is not None:
        if named in table.columns:
            return named
        raise DataError(
            f"Column {named!r} not found in {table.path}.{did_you_mean(named, table.columns)} "
            f"Set {option} to one of its columns: {present}."
        )
    lower = {name.lower(): name for name in reversed(table.columns)}
    for name in known:
        if name in lower:
            return lower[name]
    alike = [name for name in table.columns if looks_right(table.columns[name])]
    if len(alike) == 1:
        return alike[0]
    modality = modality_of(config)
    other = f", or use a recipe that does not read {modality.name}" * (setting == modality.column)
    raise DataError(
        f"{table.path} has no {_kind(setting)} column among its columns: {present}. Set {option} "
        f"to one of them (usual names: {', '.join(known)}){other}."
    )


def _kind(setting: str) -> str:
    """Return the kind of column that a setting names, such as `text` for `text_column`."""
    return setting.removesuffix("_column").replace("_", " ")


def find_input_columns(config: Config, table: Table) -> list[tuple[str, str]]:
    """Return the input columns, found by settings, names or cells, each after its setting."""
    return modality_of(config).find_columns(config, functools.partial(find_column, config, table))


def input_columns(config: Config, table: Table) -> list[str]:
    """Return the input columns of a table."""
    return [column for _, column in find_input_columns(config, table)]


def describe_columns(config: Config, table: Table) -> list[str]:
    """Return notes about columns that were found by name although others are possible."""
    modality = modality_of(config)
    chosen = dict(find_input_columns(config, table))
    labels = _label_columns(config, table)
    if len(labels) == 1:
        chosen["label_column"] = labels[0]
    by_name = {n: c for n, c in chosen.items() if getattr(config, n) is None}
    defaults = {name: item.default for name, item in settings(type(config)).items()}
    notes = []
    # Two columns are unambiguous, unless the recipe names other columns for its dataset.
    if by_name and (len(table.columns) > 2 or any(defaults[name] for name in by_name)):
        found = [f"{n.removesuffix('_column')} from column {c!r}" for n, c in by_name.items()]
        notes.append(f"Found by name in {table.path.name}: {', '.join(found)}.")
    pair = modality.pair_column
    if defaults.get(pair) and getattr(config, pair) is None:
        notes.append(
            f"Single {modality.name} are read from {table.path.name}. For pairs of "
            f"{modality.name}, set {option_name(pair)}."
        )
    return notes


def read_labels(config: Config, table: Table) -> list[Any]:
    """Return the labels of all rows in the form of the task.

    They are strings for classification, sorted tuples of strings for multi-label, and floats for
    numbers.
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
                f"Column {part!r} not found in {table.path}.{did_you_mean(part, table.columns)} "
                f"Set --label-column to its label columns: {', '.join(table.columns)}."
            )
    return parts
