"""Tables in memory, named by their content: `memory:` and the start of its SHA-256.

So a Dataset stays a value that can be compared and written as JSON. Its cells are kept here until
the process ends; another process can name the table but not read it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

from kerasft.errors import DataError

PREFIX = "memory:"
Columns = dict[str, list[Any]]

_kept: dict[str, Columns] = {}


def is_frame(value: Any) -> bool:
    """Return whether a value is a DataFrame of pandas, which is not imported for the answer."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def is_table(value: Any) -> bool:
    """Return whether a value is a table in memory: a DataFrame, or a mapping of columns."""
    return is_frame(value) or isinstance(value, Mapping)


def keep_table(table: Any) -> str:
    """Keep a table in memory until the process ends, and return its name.

    Args:
        table: DataFrame of pandas, or a mapping from column names to lists or arrays of cells.

    Raises:
        DataError: It has no rows, or columns of different lengths.

    Example:
        >>> keep_table({"text": ["good film", "bad film"], "label": ["pos", "neg"]})
        'memory:cf13f0c0f241ddb9'
    """
    columns = read_columns(table)
    name = PREFIX + _digest(columns)[:16]
    _kept[name] = columns
    return name


def kept_columns(name: str) -> Columns:
    """Return the columns of a table that was given in memory.

    Raises:
        DataError: This process was not given the table.
    """
    if name not in _kept:
        raise DataError(
            f"The dataset {name} was given in memory, and this process does not have it. Pass the "
            "same table again in Python, as kerasft.Dataset(table), or save it to a file and name "
            "that."
        )
    return _kept[name]


def read_columns(table: Any) -> Columns:
    """Return the cells of a table in memory by column, None where a DataFrame has no value.

    Raises:
        DataError: It has no rows, or columns of different lengths.
    """
    frame = is_frame(table)
    if frame and not table.columns.is_unique:
        raise DataError("The DataFrame has several columns of one name. Rename them.")
    columns = {
        str(name).strip(): _frame_cells(table[name]) if frame else _cells(str(name), table[name])
        for name in table
    }
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise DataError(f"The columns of a table must have the same length. Received: {found}.")
    if not any(lengths.values()):
        raise DataError("The table in memory has no rows. Give a table with at least one.")
    return columns


def _frame_cells(column: Any) -> list[Any]:
    return list(column.astype(object).where(column.notna(), None))


def _cells(name: str, column: Any) -> list[Any]:
    if isinstance(column, (str, bytes)) or not hasattr(column, "__iter__"):
        raise DataError(
            f"The column {name!r} of a table in memory must be a list or an array with one cell "
            f"per row. Received: {type(column).__name__}."
        )
    # A scalar of NumPy becomes one of Python.
    return [cell.item() if getattr(cell, "shape", None) == () else cell for cell in column]


def content_bytes(cell: Any) -> bytes:
    """Return what distinguishes a cell from others: of an image or array its pixels or values."""
    if isinstance(cell, bytes):
        return cell
    if is_picture(cell):
        orientation = cell.getexif().get(0x0112)
        facts = (cell.mode, cell.size, cell.getpalette(), orientation)
        return repr(facts).encode() + bytes(cell.tobytes())
    if hasattr(cell, "tobytes"):
        return repr((cell.shape, cell.dtype.str)).encode() + bytes(cell.tobytes())
    return repr(cell).encode("utf-8", "surrogatepass")


def is_picture(value: Any) -> bool:
    """Return whether a value is an image of Pillow, which is not imported for the answer."""
    return hasattr(value, "getpalette") and hasattr(value, "getexif")


def is_pixels(value: Any) -> bool:
    """Return whether a value is an image of Pillow or an array of NumPy."""
    return is_picture(value) or hasattr(value, "__array_interface__")


def _digest(columns: Columns) -> str:
    total = hashlib.sha256()
    for name, cells in columns.items():
        total.update(f"{name!r} {len(cells)}\n".encode("utf-8", "surrogatepass"))
        for cell in cells:
            content = hashlib.sha256(content_bytes(cell)).digest()
            total.update(type(cell).__name__.encode() + content)
    return total.hexdigest()
