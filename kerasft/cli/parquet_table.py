"""A Parquet file whose columns get wider types as its rows need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasft.errors import DataError


class ParquetTable:
    """A Parquet file that is written part by part.

    Whole numbers become floats when the first float comes, and an empty column takes the type of
    its first cell: the rows so far are then copied with the new types.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        self._rows = 0

    @property
    def names(self) -> list[str]:
        """Names of the columns; empty before the first part."""
        return list(self._writer.schema.names) if self._writer else []

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append rows, given as the cells of each column.

        Raises:
            DataError: A cell does not fit those before it; the message names its row and column.
        """
        import pyarrow as pa

        part = pa.table({name: self._array(name, cells) for name, cells in columns.items()})
        if self._writer is None:
            self._open(part.schema)
        elif part.schema != self._writer.schema:
            self._widen(part.schema)
        self._writer.write_table(part)
        self._rows += part.num_rows

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.close()

    def _array(self, name: str, cells: Sequence[Any]) -> Any:
        import pyarrow as pa

        before = self._writer.schema.field(name).type if self._writer else pa.null()
        try:
            return _array(before, cells)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            number, kind = _misfit(before, cells)
            raise DataError(
                f"Row {self._rows + number + 1} has {cells[number]!r:.60} in the column {name!r}, "
                f"but Parquet has one type per column, so far {kind}. Write a .jsonl file."
            ) from error

    def _open(self, schema: Any) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self._path, schema)

    def _widen(self, schema: Any) -> None:
        """Copy the rows so far into a file with wider types."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.close()
        before = self._path.with_name(f"{self._path.name}.before")
        self._path.replace(before)
        try:
            self._open(schema)
            with pq.ParquetFile(before) as file:
                for batch in file.iter_batches():
                    self._writer.write_batch(batch.cast(schema))
        except pa.ArrowInvalid as error:  # a whole number that no float equals
            raise DataError(
                f"The rows up to {self._rows} do not fit the types of those after them: {error}. "
                "Write a .jsonl file."
            ) from error
        finally:
            before.unlink()


def _array(before: Any, cells: Sequence[Any]) -> Any:
    """Return cells as an array of the narrowest type for them and the cells before them."""
    import pyarrow as pa

    schemas = [pa.schema([("cells", kind)]) for kind in (before, pa.array(cells).type)]
    merged = pa.unify_schemas(schemas, promote_options="permissive")
    return pa.array(cells, type=merged.types[0])


def _misfit(kind: Any, cells: Sequence[Any]) -> tuple[int, Any]:
    """Return the number of the first cell that does not fit those before it, and their type."""
    import pyarrow as pa

    for number, cell in enumerate(cells):
        try:
            kind = _array(kind, [cell]).type
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return number, kind
    return 0, kind
