"""Data pipeline: read, split, find the labels, prepare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from kerasft.config import Config
from kerasft.data.audit import (
    audit_examples,
    audit_inputs,
    dropped_examples,
    find_dropped,
    find_truncated,
    measure_examples,
)
from kerasft.data.examples import SPLITS, Data, Examples, Split
from kerasft.data.glyph_batches import load_builtin_glyphs
from kerasft.data.label_encoding import encode, known_labels, make_labels, normalize_labels
from kerasft.data.prepared import Preparation
from kerasft.data.sources import read_source
from kerasft.data.splits import limit_examples, make_splits
from kerasft.data_finding import DataFinding, by_level
from kerasft.dataset_check import check_class_folders, is_rendered
from kerasft.display import status
from kerasft.errors import BadExamplesError, DataError, SettingError
from kerasft.modalities import modality_of
from kerasft.recipe_errors import errors_in
from kerasft.tasks import Labels


def load_data(config: Config) -> Data:
    """Read, split and prepare the dataset of a config.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).

    Returns:
        Three splits as arrays, with labels and notes.

    Raises:
        DataError: The data are missing, damaged or mislabeled.
        NetworkError: A download is needed and its host cannot be reached.
        SettingError: The preset has no tokenizer, or a setting does not fit the data.

    Example:
        >>> data = load_data(ImageConfig(dataset="builtin:digits", image_size=32))
        >>> data.train.x.shape
        (1257, 32, 32, 3)
    """
    status(f"reading {config.dataset}")
    if is_rendered(config.dataset.source):
        return load_builtin_glyphs(config)
    if modality_of(config).class_folders:
        check_class_folders(config.dataset)
    try:
        examples, notes = read_source(config)
        return _prepare(config, examples, notes)
    except BadExamplesError as error:
        if config.drop_bad:  # nothing is left
            raise
        raise DataError(
            f"{error}\nTo fit without such examples, use `drop_bad`; kerasft check RECIPE lists "
            "what else is wrong."
        ) from error


def read_splits(config: Config) -> dict[str, Examples]:
    """Return the raw examples of all three splits of a dataset, as `load_data` splits it.

    Nothing is decoded or tokenized: with `drop_bad`, `load_data` may leave out more.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).

    Raises:
        DataError: The data are missing or mislabeled.
    """
    given, _ = _chosen(config, read_source(config)[0])
    return make_splits(given, config)


def audit_source(config: Config) -> tuple[list[DataFinding], dict[str, Examples]]:
    """Return what an audit finds before examples are decoded or tokenized, and all three splits.

    Raises:
        DataError: The data are missing or mislabeled.
    """
    source, notes = read_source(config)
    given, limited = _chosen(config, source)
    parts = make_splits(given, config)
    labels = make_labels(config, parts["train"])
    dropped = dropped_examples(given.values(), labels, parts["train"])
    findings = [
        *_as_read([*notes, *limited]),
        *find_dropped(dropped),
        *audit_examples(config, given, parts, labels),
        *audit_inputs(config, parts, labels),
    ]
    return by_level(findings), parts


def load_recipe_data(recipe: Any, config: Config) -> Data:
    """Return the data of a recipe, from its `load_data` if it defines one.

    Args:
        recipe: Module of the recipe.
        config: Config of the recipe.

    Raises:
        SettingError: The recipe's function failed, or returned something else.
    """
    if not hasattr(recipe, "load_data"):
        return load_data(config)
    with errors_in(recipe, "load_data"):
        data = recipe.load_data(config)
    if not isinstance(data, Data):
        raise SettingError(
            f"`load_data` of {recipe.__name__.rpartition('.')[2]} must return a kerasft.Data. "
            f"Received: {data!r:.80}."
        )
    return data


def prepare_data(config: Config, examples_by_split: Mapping[str, Examples]) -> Data:
    """Prepare examples as `load_data` does, for recipes that read their own data.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).
        examples_by_split: Examples of `train`, and optionally `validation` and `test`; missing
            splits are held out from `train`.

    Raises:
        DataError: A split has another name, or the data are damaged or mislabeled.

    Example:
        >>> prepare_data(config, {"train": kerasft.Examples(texts, labels, origins)})
    """
    unknown = sorted(set(examples_by_split) - set(SPLITS))
    if unknown:
        raise DataError(
            f"Splits must be named train, validation and test. Received: {', '.join(unknown)}."
        )
    return _prepare(config, examples_by_split, [])


def _prepare(config: Config, given: Mapping[str, Examples], notes: list[str]) -> Data:
    given, limited = _chosen(config, given)
    parts = make_splits(given, config)
    labels = make_labels(config, parts["train"])
    # Check all labels before decoding images, which can take minutes.
    encoded = {name: _encode(labels, part) for name, part in parts.items()}
    preparation = Preparation(config, parts.values())
    splits = {}
    for name, part in parts.items():
        x, rest = _prepare_readable(preparation, part)
        splits[name] = Split(x, encoded[name] if rest is part else _encode(labels, rest), rest)
    parts = {name: split.examples for name, split in splits.items()}
    dropped = dropped_examples([*given.values(), *parts.values()], labels, parts["train"])
    cut, share = find_truncated(config, splits)
    findings = [
        *_as_read([*notes, *limited, *preparation.note]),
        *find_dropped(dropped),
        *audit_examples(config, given, parts, labels),
        *audit_inputs(config, parts, labels, [split.x for split in splits.values()]),
        *cut,
    ]
    made = [name for name in parts if name not in given]
    audit = {**measure_examples(parts, labels), "truncated": share, "made": made}
    audit |= {"dropped": len(dropped)} if dropped else {}
    return Data(
        **splits,
        labels=labels,
        notes=tuple(finding.text for finding in findings),
        fingerprint=_fingerprint(parts),
        audit=audit,
        findings=tuple(by_level(findings)),
        dropped=dropped,
    )


def _as_read(notes: Sequence[str]) -> list[DataFinding]:
    """Return findings about how a source was read."""
    return [DataFinding("as_read", "note", text) for text in notes]


def _chosen(
    config: Config, source: Mapping[str, Examples]
) -> tuple[dict[str, Examples], list[str]]:
    """Return the examples to use with normal labels, and a note if settings limit their number.

    With `drop_bad`, unreadable files are left out of them.
    """
    named = {name: normalize_labels(config, part) for name, part in source.items()}
    chosen, notes = limit_examples(named, config)
    return {name: _readable(config, part) for name, part in chosen.items()}, notes


def _readable(config: Config, part: Examples) -> Examples:
    if config.drop_bad:
        try:
            _ = part.content_hashes  # reads every file
        except BadExamplesError as error:
            return _rest(config, part, error)
    return part


def _prepare_readable(preparation: Preparation, part: Examples) -> tuple[Any, Examples]:
    """Return prepared inputs and their examples; `drop_bad` leaves out what cannot be prepared."""
    try:
        return preparation.inputs(part), part
    except BadExamplesError as error:
        rest = _rest(preparation.config, part, error)
    return preparation.inputs(rest), rest


def _rest(config: Config, part: Examples, error: BadExamplesError) -> Examples:
    """Return the examples that can be read; raise the error without `drop_bad`, or without any."""
    if not config.drop_bad or len(error.reasons) == len(part):
        raise error
    return part.without(error.reasons)


def _encode(labels: Labels, examples: Examples) -> Any:
    return encode(labels, known_labels(examples), examples.origins)


def encode_examples(config: Config, examples: Examples, labels: Labels) -> Any:
    """Return the targets of examples by the labels of an existing model: `Split.y`."""
    return _encode(labels, normalize_labels(config, examples))


def prepare_inputs(config: Config, examples: Examples) -> Any:
    """Decode and resize images, or tokenize texts, in memory.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).
        examples: Raw examples; labels are not used.

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
