"""Labels of examples: normalization, classes, and encoding as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.errors import DataError
from kerasft.tasks import Labels, task_of


def normalize_labels(config: Config, examples: Examples) -> Examples:
    """Convert labels to the form of the task: integers to strings, lists to tuples.

    Raises:
        DataError: A label is not valid for the task.
    """
    if examples.labels is None:
        return examples
    task = task_of(config.task)
    values = [
        task.normalize(value, origin)
        for value, origin in zip(examples.labels, examples.origins, strict=True)
    ]
    return replace(examples, labels=values)


def make_labels(config: Config, train: Examples) -> Labels:
    """Return the classes, or mean and standard deviation of the target, of a training split.

    Args:
        config: Config with the task.
        train: Examples of the training split.

    Raises:
        DataError: The split has fewer than two classes, a constant target, or no labels.
    """
    values = known_labels(train)
    if not values:
        raise DataError(
            f"The training split of {config.dataset.source or 'the data'} has no examples. "
            "Expected at least one."
        )
    return task_of(config.task).make_labels(config, values, train.origins)


def known_labels(examples: Examples) -> list[Any]:
    """Return the labels of examples, or raise DataError if they have none."""
    if examples.labels is None:
        origin = examples.origins[0] if examples.origins else "The examples"
        raise DataError(
            f"{origin} has no label. Expected a label for every example, except for prediction."
        )
    return examples.labels


def encode(
    labels: Labels, values: Sequence[Any], origins: Sequence[str] | None = None
) -> np.ndarray:
    """Encode labels as the target array of a model.

    Args:
        labels: Labels with the known classes.
        values: Strings, tuples of strings, or numbers, by task.
        origins: Origin of each value, for error messages.

    Returns:
        int32 of shape (n,) for classification, float32 of shape (n, classes) of 0 and 1 for
        multi-label, float32 of shape (n,) for numbers.

    Raises:
        DataError: A label is not among the classes.

    Example:
        >>> encode(Labels("classification", ("cat", "dog")), ["dog", "cat"])
        array([1, 0], dtype=int32)
    """
    return labels.kind.encode(labels, values, origins)
