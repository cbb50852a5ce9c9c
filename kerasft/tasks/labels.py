"""What the outputs of a model mean, and how classes are named."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasft.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from kerasft.tasks.base import Task

_INTEGER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Labels:
    """What the outputs of a model mean.

    Attributes:
        task: `classification`, `multilabel`, `regression` or `ordinal`.
        names: The classes in the order of the outputs; empty where numbers are predicted.
        mean: Mean of the training targets (numbers), after `transform`.
        std: Their standard deviation (numbers), never 0.
        transform: `none`, or `log`: a regression learns on the logarithm of its targets.
        scale: The ends of ordered classes, such as stars or grades: the least and the largest
            training target. Also of a regression on whole numbers that are 20 apart at most.
    """

    task: str
    names: tuple[str, ...]
    mean: float = 0.0
    std: float = 1.0
    transform: str = "none"
    scale: tuple[int, int] | None = None

    @property
    def kind(self) -> Task:
        """The task object that measures these labels.

        Labels of a regression with a `scale` are ordered classes in all but the name: the task
        `ordinal` measures them, today as in the records of 0.1.0.
        """
        from kerasft.tasks import task_of

        return task_of(self.task if self.scale is None else "ordinal")

    @property
    def num_outputs(self) -> int:
        """The number of outputs: one a class, or one for a number."""
        return len(self.names) or 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return {**dataclasses.asdict(self), "names": list(self.names)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Labels:
        """Return what `to_dict` gave."""
        scale = values.get("scale")  # older records have none
        return cls(
            values["task"],
            tuple(values["names"]),
            float(values.get("mean", 0.0)),
            float(values.get("std", 1.0)),
            str(values.get("transform", "none")),
            None if scale is None else (int(scale[0]), int(scale[1])),
        )


def sort_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return class names in order: by number where all are whole numbers, else by letter."""
    unique = set(names)
    if all(is_whole(name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique))


def is_whole(name: str) -> bool:
    """Return whether the name of a class is a whole number."""
    return _INTEGER.fullmatch(name) is not None


def class_name(value: Any) -> str:
    """Return a label as a string; 1.0 is the class `1`, as a column with gaps keeps integers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def make_class_labels(task: str, names: tuple[str, ...], dataset: str) -> Labels:
    """Return the labels of a task with classes.

    Raises:
        DataError: There are fewer than two classes.
    """
    if len(names) < 2:
        found = f"Only one class ({names[0]!r})" if names else "No label at all"
        raise DataError(
            f"{found} is in the training split of {dataset or 'the data'}: a model needs at least "
            "two to tell apart."
        )
    return Labels(task, names)


def class_positions(
    labels: Labels, origins: Sequence[str] | None = None
) -> Callable[[str, int], int]:
    """Return the function from a class name and its row to the position of the class.

    It raises DataError for a class that is not in the training split.
    """
    index = {name: position for position, name in enumerate(labels.names)}

    def position(name: str, row: int) -> int:
        if name not in index:
            origin = origins[row] if origins else f"Example {row + 1}"
            raise DataError(
                f"{origin} has the label {name!r}, which is not among the {len(index)} classes of "
                f"the training split.{did_you_mean(str(name), index)} Correct it, or add training "
                "examples of it."
            )
        return index[name]

    return position
