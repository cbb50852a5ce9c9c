"""A modality in one file, as those in `kerasft/modalities/`: rows of numeric columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.errors import DataError
from kerasft.modalities import InputReaders, Modality, Serving
from kerasft.setting_declaration import setting


class NumbersConfig(Config):
    """Settings of a recipe for rows of numbers."""

    number_columns: str | None = setting(
        "x,y", "Columns of the numbers, separated by commas", role="column", group="numbers"
    )


class Numbers(Modality):
    """One row of numbers per example."""

    name = "numbers"
    config_class = NumbersConfig
    column = "number_columns"

    def find_columns(self, config: Any, find: Any) -> list[tuple[str, str]]:
        if config.number_columns is None:
            raise DataError("A table of numbers needs --number-columns.")
        return [(self.column, name.strip()) for name in config.number_columns.split(",")]

    def read_rows(self, table: Any, columns: Sequence[str]) -> list[list[float]]:
        missing = sorted(set(columns) - set(table.columns))
        if missing:
            raise DataError(f"{table.path} has no column {missing[0]!r}. Set --number-columns.")
        rows = range(table.num_rows)
        return [[float(table.cell(column, row)) for column in columns] for row in rows]

    def read_input(
        self, item: str, readers: InputReaders, *, pairs: bool
    ) -> Iterator[tuple[Any, str]]:
        yield from readers.table(Path(item))

    def prepare(self, config: Any, examples: Any) -> Any:
        import numpy as np

        return np.array(examples.inputs, "float32")

    def example(self, config: Any, *, pairs: bool = False) -> list[float]:
        return [0.0] * len(config.number_columns.split(","))

    def excerpt(self, item: Any, x: Any, index: int) -> dict[str, str]:
        return {"text": ", ".join(f"{number:g}" for number in item)}

    def typed_example(self, *, pairs: bool) -> str:
        return "table.csv"

    def features(self, backbone: Any, config: Any) -> tuple[Any, Any]:
        import keras

        from kerasft.models.adaptation import adapted_trunk

        inputs = keras.Input(backbone.input.shape[1:], name="numbers")
        return inputs, adapted_trunk(backbone, backbone.output, config)(inputs)

    def served_examples(self, *, pairs: bool) -> list[str]:
        return ["[0.5, 0.5]"]

    def raw_inputs(self, item: Any, origin: str) -> tuple[Any, ...]:
        return (item,)

    def serving(self, config: Any, *, pairs: bool) -> Serving:
        import tensorflow as tf

        def prepare(numbers: Any) -> tuple[Any, Any]:
            return numbers, tf.fill([tf.shape(numbers)[0]], "")

        width = len(config.number_columns.split(","))
        return Serving([tf.TensorSpec([None, width], tf.float32, "numbers")], prepare, [])
