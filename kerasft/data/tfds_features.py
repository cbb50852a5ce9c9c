"""Find the input and label features of a TFDS dataset, and read its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data.columns import LABEL_NAMES
from kerasft.errors import DataError, did_you_mean
from kerasft.modalities import modality_of
from kerasft.modalities.dataset_features import DatasetFeatures
from kerasft.tasks import FeatureReaders, task_of
from kerasft.tasks.labels import class_name


@dataclass(frozen=True)
class Columns:
    """Input and label features of a TFDS dataset.

    Attributes:
        inputs: Names of the input features: usually one, two for pairs of texts.
        labels: Name of the label feature, or several names of features of 0 and 1.
        read_label: Function from TFDS values of the label features and their origin to a label.
    """

    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    read_label: Callable[[list[Any], str], Any]


def find_columns(config: Config, info: Any, name: str) -> Columns:
    """Find input and label features by settings, supervised keys, or type.

    Args:
        config: Config with the task and the column names.
        info: Description of the dataset (`tfds.core.DatasetInfo`).
        name: Name of the dataset, for messages.

    Raises:
        DataError: A feature was not found or has another type.
    """
    # Sorted, because datasets restored from disk list their features in any order.
    by_name = dict(sorted(info.features.items()))
    supervised = [key for key in info.supervised_keys or () if isinstance(key, str)]
    features = DatasetFeatures(name, by_name, supervised)
    inputs = modality_of(config).find_features(config, features)
    flags = _flags(config, by_name, name)
    if flags:
        return Columns(inputs, flags, lambda values, origin: _set(flags, values))
    label = _label(config, features, inputs)
    read = _label_reader(config, by_name[label], label, name)
    return Columns(inputs, (label,), lambda values, origin: read(values[0], origin))


def _flags(config: Config, features: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return the features in `label_column` if it names several, else an empty tuple."""
    parts = [part.strip() for part in (config.label_column or "").split(",")]
    if not task_of(config.task).several or len(parts) < 2:
        return ()
    unknown = next((part for part in parts if part not in features), None)
    if unknown is None:
        return tuple(parts)
    raise DataError(
        f"Feature {unknown!r} not found in tfds:{name}.{did_you_mean(unknown, features)} Set "
        f"--label-column to its label features: {', '.join(features)}."
    )


def _set(flags: tuple[str, ...], values: list[Any]) -> tuple[str, ...]:
    return tuple(sorted(flag for flag, value in zip(flags, values, strict=True) if value > 0))


def _label(config: Config, features: DatasetFeatures, inputs: tuple[str, ...]) -> str:
    import tensorflow_datasets as tfds

    named = features.named(config, "label_column")
    classes = features.of_kind(tfds.features.ClassLabel)
    by_name = [known for known in LABEL_NAMES if known in features.by_name]
    candidates = [*features.supervised[1:2], *by_name, *(classes if len(classes) == 1 else [])]
    found = named or next((key for key in candidates if key not in inputs), None)
    if found is None:
        raise DataError(
            f"No label feature found in tfds:{features.dataset} by its usual names. Set "
            f"--label-column to one of its features: {', '.join(features.by_name)}."
        )
    return found


def _label_reader(config: Config, feature: Any, label: str, name: str) -> Callable[[Any, str], Any]:
    """Return the function from a TFDS value and its origin to a label of the task."""
    task, separator = task_of(config.task), config.label_separator
    kind = getattr(feature, "feature", feature)  # element feature of a Sequence
    to_name = getattr(kind, "int2str", None)

    def to_class(value: Any, origin: str) -> str:
        if isinstance(value, bytes):
            return value.decode("utf-8").strip()
        if np.ndim(value) != 0:
            raise DataError(
                f"The feature {label!r} of tfds:{name} has several values in {origin}. Use "
                "task=multilabel, or name another label with --label-column."
            )
        if to_name is not None and int(value) < 0:
            raise DataError(
                f"The label of {origin} of tfds:{name} is hidden ({int(value)}). Use another "
                "split, for instance test_split=validation."
            )
        return str(to_name(int(value))) if to_name is not None else class_name(value.item())

    def read(value: Any, origin: str) -> Any:
        readers = FeatureReaders(
            lambda part: to_class(part, origin),
            lambda part: _number(part, f"{origin} of tfds:{name}", label, task.name),
        )
        return task.read_feature(value, readers, separator)

    return read


def _number(value: Any, origin: str, label: str, task: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise DataError(
            f"The feature {label!r} must be a number for task={task}. Received in {origin}: "
            f"{value!r:.60}."
        )
    return number
