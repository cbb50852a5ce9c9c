"""Meaning of model outputs, and names of classes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasft.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from kerasft.tasks.base import Task

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_LONGEST_NAME = 1000  # characters of a class name


@dataclass(frozen=True)
class Labels:
    """Meaning of the outputs of a model.

    Attributes:
        task: Name of the task: `classification`, `multilabel`, `regression` or `ordinal`.
        names: Class names in the order of the outputs; empty for numeric targets.
        mean: Mean of the numeric training targets, after `transform`.
        std: Standard deviation of the numeric training targets, after `transform`, > 0.
        transform: Transform of numeric targets: `none`, or `log` for a regression.
        scale: Lowest and highest ordinal class (stars, grades) in the training split. Set for a
            regression too if its targets are whole numbers with a range of at most 20.
        unit: Unit of numeric targets, such as EUR; empty for none.
    """

    task: str
    names: tuple[str, ...]
    mean: float = 0.0
    std: float = 1.0
    transform: str = "none"
    scale: tuple[int, int] | None = None
    unit: str = ""

    @property
    def kind(self) -> Task:
        """Task that computes the metrics of these labels.

        It is `ordinal` for a regression with a `scale`, so that its metrics stay comparable with
        records of version 0.1.0.
        """
        from kerasft.tasks import task_of

        return task_of(self.task if self.scale is None else "ordinal")

    @property
    def num_outputs(self) -> int:
        """Number of outputs: one per class, or one for a number."""
        return len(self.names) or 1

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary."""
        return {**dataclasses.asdict(self), "names": list(self.names)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Labels:
        """Return the labels from the dictionary of `to_dict`."""
        scale = values.get("scale")  # older records have none
        return cls(
            values["task"],
            tuple(values["names"]),
            float(values.get("mean", 0.0)),
            float(values.get("std", 1.0)),
            str(values.get("transform", "none")),
            None if scale is None else (int(scale[0]), int(scale[1])),
            str(values.get("unit", "")),
        )


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return unique class names, sorted as numbers if all are integers, else alphabetically."""
    unique = set(names)
    if all(is_whole(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def is_whole(name: str) -> bool:
    """Return whether a class name is an integer."""
    return _INTEGER.fullmatch(name) is not None


def class_name(value: Any) -> str:
    """Return a label as a string; 1.0 becomes `1`, as columns with gaps hold integers as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def make_class_labels(task: str, names: tuple[str, ...], dataset: str) -> Labels:
    """Return the labels of a task with classes.

    Raises:
        DataError: The training split has fewer than two classes.
    """
    if len(names) < 2:
        found = f"only one class ({names[0]!r})" if names else "no labels"
        raise DataError(
            f"The training split of {dataset or 'the data'} has {found}. Expected at least two "
            "classes."
        )
    longest = max(names, key=len)
    if len(longest) > _LONGEST_NAME:
        raise DataError(
            f"A class name in {dataset or 'the data'} has {len(longest):,} characters: "
            f"{longest!r:.60}. Expected at most {_LONGEST_NAME:,}: is it the label column?"
        )
    return Labels(task, names)


def class_positions(
    labels: Labels, origins: Sequence[str] | None = None
) -> Callable[[str, int], int]:
    """Return the function from a class name and its row to the class index.

    The function raises DataError for a class that is not in the training split.
    """
    index = {name: position for position, name in enumerate(labels.names)}

    def position(name: str, row: int) -> int:
        if name not in index:
            origin = origins[row] if origins else f"Example {row + 1}"
            raise DataError(
                f"{origin} has the label {name!r}, which is not one of the {len(index)} classes of "
                f"the training split.{did_you_mean(str(name), index)} Correct it, or add training "
                "examples of it."
            )
        return index[name]

    return position
