"""From the labels of examples to the outputs of a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data.examples import Examples, Labels
from kerasft.errors import DataError, did_you_mean

_WIDEST = 20  # from end to end of what still are classes in an order, such as stars or grades
_INTEGER = re.compile(r"[+-]?\d+")


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


def normalize_labels(config: Config, examples: Examples) -> Examples:
    """Bring labels to the form of the task: integers become strings, lists become tuples.

    Raises:
        DataError: A label cannot have that form.
    """
    if examples.labels is None:
        return examples
    values = [
        _normalize(config.task, value, origin)
        for value, origin in zip(examples.labels, examples.origins, strict=True)
    ]
    return replace(examples, labels=values)


def _normalize(task: str, value: Any, origin: str) -> Any:
    several = isinstance(value, (tuple, list, set, frozenset))
    if (
        value is None
        or (several and task != "multilabel")
        or (task == "multilabel" and not several)
    ):
        raise DataError(f"The label of {origin} does not fit task={task}. Received: {value!r:.60}.")
    if task == "classification":
        return class_name(value)
    if several:
        return tuple(sorted({class_name(part) for part in value}))
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The label of {origin} must be a number. Received: {value!r:.60}."
        ) from error


def make_labels(config: Config, train: Examples) -> Labels:
    """Find the classes, or the mean and spread of the target, in the training examples.

    Args:
        config: Its `task` is used.
        train: The training split.

    Raises:
        DataError: There is one class only, the target is constant, or labels are missing.
    """
    values = known_labels(train)
    if not values:
        raise DataError(f"The training split of {_name(config)} has no examples.")
    if config.task == "regression":
        return _regression(config, values, train.origins)
    names: tuple[str, ...]
    if config.task == "multilabel":
        names = sort_names(name for row in values for name in row)
    else:
        names = sort_names(values)
    if len(names) < 2:
        found = f"Only one class ({names[0]!r})" if names else "No label at all"
        raise DataError(
            f"{found} is in the training split of {_name(config)}: a model needs at least two to "
            "tell apart."
        )
    return Labels(config.task, names)


def _regression(config: Config, targets: Sequence[float], origins: Sequence[str]) -> Labels:
    values = np.asarray(targets, np.float64)
    scale = _scale(values)
    if config.target_transform == "log":
        _check_positive(values, origins)
        values = np.log(values)
    mean, std = float(values.mean()), float(values.std())
    # Of equal floats the computed deviation may be a rounding error instead of 0.
    if std <= 1e-9 * max(abs(mean), float(np.finfo(np.float32).tiny)):
        raise DataError(
            f"The target of {_name(config)} is constant in the training split ({targets[0]:g}): "
            "there is nothing to learn."
        )
    return Labels("regression", (), mean, std, config.target_transform, scale)


def _scale(values: np.ndarray) -> tuple[int, int] | None:
    """Return the ends of classes in an order, None where the targets are no classes."""
    # By their range, not their number: a few prices are whole numbers, too.
    if np.ptp(values) > _WIDEST or np.any(np.rint(values) != values):
        return None
    return int(values.min()), int(values.max())


def _check_positive(values: np.ndarray, origins: Sequence[str]) -> None:
    wrong = np.flatnonzero(values <= 0)
    if len(wrong):
        raise DataError(
            f"The target of {origins[wrong[0]]} must be above 0 for target_transform=log. "
            f"Received: {values[wrong[0]]:g}. Use --target-transform none."
        )


def _name(config: Config) -> str:
    return config.dataset.source or "the data"


def known_labels(examples: Examples) -> list[Any]:
    """Return the labels of examples, all of which must have one."""
    if examples.labels is None:
        origin = examples.origins[0] if examples.origins else "The examples"
        raise DataError(f"{origin} has no label: only prediction works without labels.")
    return examples.labels


def encode(
    labels: Labels, values: Sequence[Any], origins: Sequence[str] | None = None
) -> np.ndarray:
    """Turn labels into the array that a model is trained on.

    Args:
        labels: The known classes.
        values: Strings, tuples of strings, or numbers, by task.
        origins: Where each value comes from, for the message.

    Returns:
        int32 of shape (n,) for classification, float32 of shape (n, classes) of 0 and 1 for
        multi-label, float32 of shape (n,) for regression.

    Raises:
        DataError: A label is not among the classes.

    Example:
        >>> encode(Labels("classification", ("cat", "dog")), ["dog", "cat"])
        array([1, 0], dtype=int32)
    """
    if labels.task == "regression":
        targets = np.asarray(values, np.float32).reshape(len(values))
        if labels.transform == "log":
            names = origins or [f"example {row + 1}" for row in range(len(targets))]
            _check_positive(targets, names)
        return targets
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

    if labels.task == "classification":
        return np.array([position(name, row) for row, name in enumerate(values)], np.int32)
    encoded = np.zeros((len(values), len(index)), np.float32)
    for row, names in enumerate(values):
        for name in names:
            encoded[row, position(name, row)] = 1.0
    return encoded
