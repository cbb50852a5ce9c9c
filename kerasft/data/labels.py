"""From the labels of examples to the outputs of a model; the task knows how."""

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
    """Bring labels to the form of the task: integers become strings, lists become tuples.

    Raises:
        DataError: A label cannot have that form.
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
    """Find the classes, or the mean and spread of the target, in the training examples.

    Args:
        config: Its `task` is used.
        train: The training split.

    Raises:
        DataError: There is one class only, the target is constant, or labels are missing.
    """
    values = known_labels(train)
    if not values:
        raise DataError(
            f"The training split of {config.dataset.source or 'the data'} has no examples."
        )
    return task_of(config.task).make_labels(config, values, train.origins)


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
        multi-label, float32 of shape (n,) for numbers.

    Raises:
        DataError: A label is not among the classes.

    Example:
        >>> encode(Labels("classification", ("cat", "dog")), ["dog", "cat"])
        array([1, 0], dtype=int32)
    """
    return labels.kind.encode(labels, values, origins)
