"""The whole way of the data: read, divide, find the labels, prepare once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from kerasft.config import Config
from kerasft.data.audit import audit_examples, measure_examples, note_truncated
from kerasft.data.examples import SPLITS, Data, Examples, Split
from kerasft.data.glyph_batches import load_builtin_glyphs
from kerasft.data.labels import encode, known_labels, make_labels, normalize_labels
from kerasft.data.sources import read_source
from kerasft.data.splits import make_splits
from kerasft.dataset_lookup import is_rendered
from kerasft.errors import DataError
from kerasft.modalities import modality_of
from kerasft.tasks import Labels


def load_data(config: Config) -> Data:
    """Read, divides and prepare the dataset of a config.

    Args:
        config: An ImageConfig or a TextConfig.

    Returns:
        Three splits as arrays, the labels, and notes about what a person should know.

    Raises:
        DataError: The data are missing, damaged or mislabeled.
        NetworkError: They must be downloaded and there is no network.
        SettingError: The preset has no tokenizer, or a setting does not fit the data.

    Example:
        >>> data = load_data(ImageConfig(dataset="builtin:digits", image_size=32))
        >>> data.train.x.shape
        (1257, 32, 32, 3)
    """
    if is_rendered(config.dataset.source):
        return load_builtin_glyphs(config)
    examples, notes = read_source(config)
    return _prepare(config, examples, notes)


def load_recipe_data(recipe: Any, config: Config) -> Data:
    """Return the data of a recipe: by its own `load_data` where it has one.

    Args:
        recipe: A recipe's module.
        config: Its settings.
    """
    load: Callable[[Config], Data] = getattr(recipe, "load_data", load_data)
    return load(config)


def prepare_data(config: Config, examples_by_split: Mapping[str, Examples]) -> Data:
    """Do what `load_data` does, with examples that a recipe brings itself.

    Args:
        config: An ImageConfig or a TextConfig.
        examples_by_split: `train`, and `validation` and `test` where they are given; missing ones
            are made.

    Example:
        >>> prepare_data(config, {"train": kerasft.Examples(texts, labels, origins)})
    """
    unknown = sorted(set(examples_by_split) - set(SPLITS))
    if unknown:
        raise DataError(
            f"Splits are called train, validation and test. Received: {', '.join(unknown)}."
        )
    return _prepare(config, examples_by_split, [])


def _prepare(config: Config, given: Mapping[str, Examples], notes: list[str]) -> Data:
    given = {name: normalize_labels(config, part) for name, part in given.items()}
    parts = make_splits(given, config)
    labels = make_labels(config, parts["train"])
    # All labels are checked before the first image is decoded.
    encoded = {name: _encode(labels, part) for name, part in parts.items()}
    notes = notes + audit_examples(config, given, parts, labels)
    splits = {}
    for name, part in parts.items():
        x = prepare_inputs(config, part)
        splits[name] = Split(x, encoded[name], part)
    cut, share = note_truncated(config, splits)
    made = [name for name in parts if name not in given]
    audit = {**measure_examples(parts, labels), "truncated": share, "made": made}
    return Data(
        **splits,
        labels=labels,
        notes=(*notes, *cut),
        fingerprint=_fingerprint(parts),
        audit=audit,
    )


def _encode(labels: Labels, examples: Examples) -> Any:
    return encode(labels, known_labels(examples), examples.origins)


def prepare_split(config: Config, examples: Examples, labels: Labels) -> Split:
    """Prepare examples with the labels of a model that exists already, to measure it."""
    examples = normalize_labels(config, examples)
    return Split(prepare_inputs(config, examples), _encode(labels, examples), examples)


def prepare_inputs(config: Config, examples: Examples) -> Any:
    """Decode and resize images, or tokenizes texts.

    Args:
        config: An ImageConfig or a TextConfig.
        examples: Its labels are not used.

    Returns:
        `Split.x`.
    """
    return modality_of(config).prepare(config, examples)


def _fingerprint(parts: Mapping[str, Examples]) -> str:
    total = hashlib.sha256()
    for name, examples in parts.items():
        total.update(f"{name}:{len(examples)}\n".encode())
        rows = zip(examples.content_hashes, known_labels(examples), strict=True)
        for content, label in rows:
            total.update(f"{content} {label!r}\n".encode("utf-8", "surrogatepass"))
    return total.hexdigest()
