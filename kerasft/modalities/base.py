"""What a modality is asked, with the answers that most share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.tasks.cells import Table

Input = tuple[Any, str]  # an input and its origin
Served = tuple[Callable[..., Any], list[Any], list[Any]]


class InputReaders(NamedTuple):
    """How the room of the data reads what `predict` is given.

    Attributes:
        folder: Yields all images below a folder, each file once.
        table: Yields the inputs of a table's rows.
    """

    folder: Callable[[str], Iterator[Input]]
    table: Callable[[Path], Iterator[Input]]


def refuse(config: Any) -> SettingError:
    """Return the error for settings of no known modality."""
    return SettingError(
        "The settings must be those of an ImageConfig or a TextConfig. Received: "
        f"{type(config).__name__}."
    )


def _no_features(backbone: Any, config: Any) -> tuple[Any, Any]:
    raise refuse(config)


class Modality:
    """A kind of input. A modality overrides what differs.

    The base itself stands for the inputs of a recipe whose Config is for neither images nor texts:
    it brings prepared data of its own, and what would read inputs refuses.

    Attributes:
        name: What messages call its inputs.
        config_class: The class of its settings.
        column: The setting that names the input column of a table.
        column_names: Usual names of that column, in lower case.
        pair_column: The setting that names a second input column, empty where there is none.
        class_folders: Whether a folder of class folders holds such inputs.
        features: Connects a backbone to its inputs: (backbone, config) to (inputs, features).
            Registered by `kerasft.models.heads`.
    """

    name = ""
    config_class: type[Config] = Config
    column = ""
    column_names: tuple[str, ...] = ()
    pair_column = ""
    class_folders = False
    features: Callable[[Any, Any], tuple[Any, Any]] = staticmethod(_no_features)

    # Data

    def read_column(self, table: Table, column: str) -> list[Any]:
        """Return the inputs in a column of a table, one a row.

        Raises:
            DataError: A cell is empty, or holds something else.
        """
        raise refuse(self)

    def read_input(self, item: str, readers: InputReaders, *, pairs: bool) -> Iterator[Input]:
        """Yield what one argument of `predict` stands for.

        Args:
            item: A path, or the input itself.
            readers: Of folders and tables.
            pairs: Whether the run reads pairs of texts.

        Raises:
            DataError: The input does not exist or cannot be read.
        """
        raise refuse(self)

    def prepare(self, config: Any, examples: Any) -> Any:
        """Return the arrays that a model reads, prepared once.

        Args:
            config: The settings.
            examples: `kerasft.Examples`; the labels are not used.
        """
        raise refuse(config)

    def count_truncated(self, config: Any, examples: Any, x: Any) -> int:
        """Return how many inputs were cut by their preparation."""
        return 0

    def few_examples_note(self, each: float) -> list[str]:
        """Return advice for a training split with few examples a class."""
        return []

    def example(self, config: Any, *, pairs: bool = False) -> Any:
        """Return a raw input, as `kerasft.Examples` holds it."""
        raise refuse(config)

    # Serving

    def serving(
        self, config: Any, model: Any, outputs: Callable[[Any], dict[str, Any]], *, pairs: bool
    ) -> Served:
        """Return what serves a model from raw inputs, in TensorFlow's graph.

        Args:
            config: The settings of the run.
            model: The fine-tuned model.
            outputs: Makes named outputs out of predictions.
            pairs: Whether the run reads pairs of texts.

        Returns:
            (function, input signature, layers that it uses).
        """
        raise refuse(config)

    def save_preprocessor(self, config: Any, model: Any, backbone: Any, folder: Path) -> None:
        """Write the image converter or tokenizer beside a backbone that is saved as a preset."""
        raise refuse(config)
