"""The features of a TFDS dataset: which are the inputs, which the label, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data.columns import LABEL_NAMES
from kerasft.errors import DataError, did_you_mean
from kerasft.modalities import IMAGES, modality_of
from kerasft.tasks import task_of
from kerasft.tasks.labels import class_name

# What comes first in a pair of texts where its name does not come first in the alphabet.
_FIRST_OF_PAIR = ("premise", "question", "query", "sentence")


@dataclass(frozen=True)
class Columns:
    """The features that are read.

    Attributes:
        inputs: One name, or two for pairs of texts.
        labels: The name of the label, or several that are 0 or 1 each.
        image: Whether the input is an image.
        read_label: From TFDS' values of these and their origin to a label of the task.
    """

    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    image: bool
    read_label: Callable[[list[Any], str], Any]


def find_columns(config: Config, info: Any, name: str) -> Columns:
    """Find inputs and label: by settings, by the supervised keys, or by type.

    Args:
        config: The settings.
        info: A `tfds.core.DatasetInfo`.
        name: What messages call the dataset.

    Raises:
        DataError: There is no such feature.
    """
    # Sorted: sets that were written to disk come back in any order.
    features = dict(sorted(info.features.items()))
    supervised = [key for key in info.supervised_keys or () if isinstance(key, str)]
    image = modality_of(config) is IMAGES
    inputs = (_image if image else _texts)(config, features, supervised, name)
    flags = _flags(config, features, name)
    if flags:
        return Columns(inputs, flags, image, lambda values, origin: _set(flags, values))
    label = _label(config, features, supervised, inputs, name)
    read = _label_reader(config, features[label], label, name)
    return Columns(inputs, (label,), image, lambda values, origin: read(values[0], origin))


def _flags(config: Config, features: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return the features that label_column names where it names several."""
    parts = [part.strip() for part in (config.label_column or "").split(",")]
    if not task_of(config.task).several or len(parts) < 2:
        return ()
    unknown = next((part for part in parts if part not in features), None)
    if unknown is None:
        return tuple(parts)
    raise DataError(
        f"tfds:{name} has no feature {unknown!r}.{did_you_mean(unknown, features)} Its features "
        f"are: {', '.join(features)}. Name the labels with --label-column."
    )


def _set(flags: tuple[str, ...], values: list[Any]) -> tuple[str, ...]:
    return tuple(sorted(flag for flag, value in zip(flags, values, strict=True) if value > 0))


def _named(config: Config, setting: str, features: dict[str, Any], name: str) -> str | None:
    named: str | None = getattr(config, setting)
    if named is not None and named not in features:
        raise DataError(
            f"tfds:{name} has no feature {named!r}.{did_you_mean(named, features)} Its features "
            f"are: {', '.join(features)}. Name the right one with --{setting.replace('_', '-')}."
        )
    return named


def _of_kind(features: dict[str, Any], kind: Any) -> list[str]:
    return [key for key, feature in features.items() if isinstance(feature, kind)]


def _image(
    config: Config, features: dict[str, Any], supervised: list[str], name: str
) -> tuple[str, ...]:
    import tensorflow_datasets as tfds

    named = _named(config, "image_column", features, name)
    images = _of_kind(features, tfds.features.Image)
    if named is not None and named not in images:
        raise DataError(f"The feature {named!r} of tfds:{name} is not an image.")
    found = [named] if named else [key for key in supervised if key in images] or images
    if not found:
        raise DataError(
            f"tfds:{name} has no images. Its features are: {', '.join(features)}. Use a recipe for "
            "texts if they are texts."
        )
    return (found[0],)


def _texts(
    config: Config, features: dict[str, Any], supervised: list[str], name: str
) -> tuple[str, ...]:
    import tensorflow_datasets as tfds

    first = _named(config, "text_column", features, name)
    second = _named(config, "text_pair_column", features, name)
    texts = _of_kind(features, tfds.features.Text)
    for named in (first, second):
        if named is not None and named not in texts:
            raise DataError(f"The feature {named!r} of tfds:{name} is not a text.")
    if first is not None:
        return (first,) if second is None else (first, second)
    label = config.label_column
    # Two texts without supervised keys, as in GLUE, are a pair.
    free = sorted((t for t in texts if t != label), key=lambda t: (t not in _FIRST_OF_PAIR, t))
    found = [key for key in supervised[:1] if key in texts] or free
    if not found or len(found) > 2:
        raise DataError(
            f"tfds:{name} has {len(found)} text features; its features are: {', '.join(features)}. "
            "Name the text with --text-column (and --text-pair-column), or use a recipe for images "
            "if they are images."
        )
    return tuple(found)


def _label(
    config: Config,
    features: dict[str, Any],
    supervised: list[str],
    inputs: tuple[str, ...],
    name: str,
) -> str:
    import tensorflow_datasets as tfds

    named = _named(config, "label_column", features, name)
    classes = _of_kind(features, tfds.features.ClassLabel)
    usual = [known for known in LABEL_NAMES if known in features]
    candidates = [*supervised[1:2], *usual, *(classes if len(classes) == 1 else [])]
    found = named or next((key for key in candidates if key not in inputs), None)
    if found is None:
        raise DataError(
            f"tfds:{name} has no feature that is known to be the label. Its features are: "
            f"{', '.join(features)}. Name it with --label-column."
        )
    return found


def _label_reader(config: Config, feature: Any, label: str, name: str) -> Callable[[Any, str], Any]:
    """Return the function from TFDS' value to a label of the task."""
    task, separator = task_of(config.task), config.label_separator
    kind = getattr(feature, "feature", feature)  # of a Sequence: what it holds
    to_name = getattr(kind, "int2str", None)

    def to_class(value: Any, origin: str) -> str:
        if isinstance(value, bytes):
            return value.decode("utf-8").strip()
        if np.ndim(value) != 0:
            raise DataError(
                f"The feature {label!r} of tfds:{name} holds several values in {origin}: use "
                "task=multilabel, or name another label with --label-column."
            )
        if to_name is not None and int(value) < 0:
            raise DataError(
                f"The label of {origin} of tfds:{name} is hidden ({int(value)}): use another "
                "split, for instance test_split=validation."
            )
        return str(to_name(int(value))) if to_name is not None else class_name(value.item())

    def read(value: Any, origin: str) -> Any:
        return task.read_feature(
            value,
            lambda part: to_class(part, origin),
            lambda part: _number(part, f"{origin} of tfds:{name}", label, task.name),
            separator,
        )

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
