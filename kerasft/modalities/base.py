"""Base class of modalities, with the defaults that most share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.errors import DataError, SettingError
from kerasft.modalities.dataset_features import DatasetFeatures
from kerasft.modalities.excerpts import picture_excerpt, text_excerpt
from kerasft.modalities.input_types import (
    FindColumn,
    Input,
    InputAudit,
    InputReaders,
    Serving,
)
from kerasft.tasks.label_cells import Table


def refuse(config: Any) -> SettingError:
    """Return the error for settings, or a modality, that read no inputs."""
    kind = config.config_class if isinstance(config, Modality) else type(config)
    known = " or ".join(other.config_class.__name__ for other in Modality.__subclasses__())
    return SettingError(
        f"The settings are of {kind.__name__}, which reads no inputs. Derive the Config of the "
        f"recipe from {known}."
    )


class Modality:
    """A kind of input; subclasses override what differs.

    The base class is the modality of a recipe whose Config is for neither images nor texts. Such a
    recipe loads prepared data itself, so methods that read inputs raise SettingError.

    Attributes:
        name: Name of the inputs in messages.
        config_class: Class of the settings.
        column: Name of the setting for the input column of a table.
        column_names: Usual names of the input column, in lower case.
        pair_column: Name of the setting for a second input column; empty without one.
        builtin: Datasets `builtin:NAME` with such inputs.
        length_setting: Name of the setting for the maximum length; empty without one.
        serving_imports: Packages to import where a SavedModel is loaded.
        class_folders: Whether inputs can come from a folder of class folders.
        part_size: Number of inputs that `predict` and `evaluate` prepare at once.
        prepared_by_preset: Whether the preset prepares inputs: its tokenizer.
    """

    name = ""
    config_class: type[Config] = Config
    column = ""
    column_names: tuple[str, ...] = ()
    pair_column = ""
    builtin: tuple[str, ...] = ()
    length_setting = ""
    serving_imports: tuple[str, ...] = ()
    class_folders = False
    part_size = 8192
    prepared_by_preset = False

    def find_columns(self, config: Any, find: FindColumn) -> list[tuple[str, str]]:
        """Return the input columns of a table, each after the setting that can name it.

        Args:
            config: Config of the modality.
            find: Function from a setting, usual names of its column and a check of its cells to
                the column (`kerasft.data.columns.find_column`).

        Raises:
            DataError: There is no such column.
        """
        if not self.column:
            raise refuse(config)
        return [(self.column, find(self.column, self.column_names, self.looks_like_inputs))]

    def read_rows(self, table: Table, columns: Sequence[str]) -> list[Any]:
        """Return the inputs in the rows of a table.

        Args:
            table: Table of examples.
            columns: Its input columns, from `find_columns`.

        Raises:
            DataError: A cell is empty or has another type.
        """
        raise refuse(self)

    def looks_like_inputs(self, cells: list[Any]) -> bool:
        """Return whether the cells of a column without a usual name can be nothing but inputs."""
        return False

    def find_features(self, config: Any, features: DatasetFeatures) -> tuple[str, ...]:
        """Return the features of a TFDS dataset that are the inputs: by settings, or by type.

        Raises:
            DataError: There is no such feature.
        """
        raise refuse(config)

    def feature_decoders(self, inputs: Sequence[str]) -> dict[str, Any] | None:
        """Return TFDS' decoders of the input features, None for its own."""
        return None

    def read_features(self, values: Sequence[Any]) -> Any:
        """Return an input from what TFDS gives for the features of `find_features`."""
        raise refuse(self)

    def check_inputs(self, inputs: Sequence[Any], where: str, *, pairs: bool) -> None:
        """Check that a run can read the inputs of other data.

        Args:
            inputs: Raw inputs.
            where: Name of the data in messages.
            pairs: Whether the run reads pairs of texts.

        Raises:
            DataError: The run reads inputs of another form.
        """

    def check_path(self, item: str) -> None:
        """Check an argument of `predict`, without reading it.

        Args:
            item: Path of a file, folder or table, or the input itself.

        Raises:
            DataError: It is a path that does not exist, or of a kind that is not read.
        """

    def read_input(self, item: str, readers: InputReaders, *, pairs: bool) -> Iterator[Input]:
        """Yield the inputs of one argument of `predict`.

        Args:
            item: Path of a file, folder or table, or the input itself.
            readers: Readers of folders, tables and text files.
            pairs: Whether the run reads pairs of texts.

        Raises:
            DataError: The input does not exist or cannot be read.
        """
        raise refuse(self)

    def check_value(self, value: Any, origin: str, *, pairs: bool) -> Any:
        """Return an input of `predict` that is a value in memory and not a text.

        Args:
            value: The input.
            origin: Its name in messages.
            pairs: Whether the run reads pairs of texts.

        Raises:
            DataError: It is not an input of this modality.
        """
        raise refuse(self)

    def read_line(
        self, line: str, origin: str, readers: InputReaders, *, pairs: bool
    ) -> Iterator[Input]:
        """Yield the inputs of a line of an open file: by default the path of a file.

        Args:
            line: The line, without its end.
            origin: Its name in messages.
            readers: Readers of folders, tables and text files.
            pairs: Whether the run reads pairs of texts.

        Raises:
            DataError: The input does not exist or cannot be read.
        """
        if not line.strip():
            raise DataError(f"{origin} is empty. Give the path of a file.")
        yield from self.read_input(line.strip(), readers, pairs=pairs)

    def settle(self, config: Any) -> Any:
        """Return the settings of a fit, with `auto` replaced where a saved model depends on it."""
        return config

    def prepare(self, config: Any, examples: Any) -> Any:
        """Return the prepared arrays of raw inputs (`kerasft.Examples`) that a model reads."""
        raise refuse(config)

    def prepared_bytes(self, config: Any, count: int) -> int:
        """Return the most bytes that so many prepared inputs need; 0 if they stay in memory.

        Inputs that need more than memory has are prepared in files (`kerasft.array_files`):
        `prepare` must make its arrays by `kerasft.arrays.allocate`.
        """
        return 0

    def preparation(self, config: Any) -> dict[str, Any]:
        """Return what prepared inputs depend on besides the raw inputs, as JSON values."""
        raise refuse(config)

    def count_truncated(self, config: Any, examples: Any, x: Any) -> int:
        """Return the number of inputs that were truncated."""
        return 0

    def audit(self, config: Any, parts: Sequence[Any], arrays: Sequence[Any] | None) -> InputAudit:
        """Return faults of inputs, and groups of inputs that look or read alike.

        Args:
            config: Config of the modality.
            parts: Raw examples of each split (`kerasft.Examples`).
            arrays: Prepared inputs of each split (`Split.x`), None before they are prepared.
        """
        return InputAudit([], [])

    def few_examples_note(self, config: Any, each: float) -> list[str]:
        """Return advice for a training split with few examples per class."""
        return []

    def example(self, config: Any, *, pairs: bool = False) -> Any:
        """Return a sample raw input, in the form of `kerasft.Examples`."""
        raise refuse(config)

    def excerpt(self, item: Any, x: Any, index: int) -> dict[str, str]:
        """Return what a report shows of an input: `text`, or `picture` as a base64-encoded PNG.

        Args:
            item: The raw input.
            x: The arrays of all inputs, as a model reads them.
            index: Its row in them.
        """
        # A recipe's own data can be of either kind: arrays by name are those of texts.
        return text_excerpt(item) if isinstance(x, dict) else picture_excerpt(x[index])

    def typed_example(self, *, pairs: bool) -> str:
        """Return an input of `kerasft predict`, as it is typed into a shell."""
        return "INPUT"

    # Model

    def features(self, backbone: Any, config: Any) -> tuple[Any, Any]:
        """Connect a backbone to its inputs, with pooling to one vector per example.

        Returns:
            (inputs, features): model inputs, and float32 vectors of shape (batch, width).

        Raises:
            SettingError: The backbone does not read such inputs.
        """
        raise refuse(config)

    def head_start(self, config: Any) -> str:
        """Return the start of the output layer, with `auto` as chosen for the task."""
        return "random" if config.head_start == "auto" else str(config.head_start)

    def feature_norm(self, config: Any) -> str:
        """Return the length of feature vectors, `none` or `rms`, with `auto` as chosen."""
        return "none"

    def pooling(self, backbone: Any, config: Any) -> str:
        """Return the pooling to one vector per example, with `auto` as chosen for the family."""
        raise refuse(config)

    # Serving

    def served_examples(self, *, pairs: bool) -> list[str]:
        """Return Python expressions of the inputs that a served model takes."""
        raise refuse(self)

    def serving(self, config: Any, *, pairs: bool) -> Serving:
        """Return how a served model prepares raw inputs.

        Args:
            config: Config of the run.
            pairs: Whether the run reads pairs of texts.
        """
        raise refuse(config)

    def raw_inputs(self, item: Any, origin: str) -> tuple[Any, ...]:
        """Return an input in the form that a served model reads, one value per argument.

        Args:
            item: Raw input, in the form of `kerasft.Examples`.
            origin: Its name in messages.

        Raises:
            DataError: The input cannot be read.
        """
        raise refuse(self)

    def save_preprocessor(self, config: Any, model: Any, backbone: Any, folder: Path) -> None:
        """Save the image converter or tokenizer of a backbone into its preset folder."""
        raise refuse(config)

    def save_for_transformers(self, config: Any, model: Any, folder: Path) -> None:
        """Save the tokenizer or image processor as transformers reads it.

        Raises:
            SettingError: transformers has no such tokenizer.
        """
        raise refuse(config)
