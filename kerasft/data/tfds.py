"""Datasets from TensorFlow Datasets (TFDS), downloaded unless they are on disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import SPLITS, Examples
from kerasft.data.split_names import named_splits
from kerasft.data.tfds_features import Columns, find_columns
from kerasft.dataset import ALIASES, Dataset
from kerasft.dataset_check import Address, data_root, find_prepared, parse_address
from kerasft.display import progress
from kerasft.errors import DataError, did_you_mean, first_line
from kerasft.modalities import Modality, modality_of


def read_tfds(config: Config) -> tuple[dict[str, Examples], list[str]]:
    """Read a dataset from TensorFlow Datasets.

    Args:
        config: Settings; `dataset`, `data_dir`, columns and splits (also TFDS slices) are used.

    Returns:
        Examples by split, and notes.

    Raises:
        DataError: The dataset, a split or a feature does not exist, or the labels are hidden.
    """
    address = parse_address(config.dataset.source)
    builder = _open(address, config)
    splits = choose_splits(config, list(builder.info.splits))
    columns = find_columns(config, builder.info, str(address))
    parts = {split: _read_split(config, builder, name, columns) for split, name in splits.items()}
    notes = []
    if modality_of(config).pair_column and len(columns.inputs) > 1:
        first, second = columns.inputs
        notes = [f"Text pairs: {first!r} and {second!r}."]
    return parts, notes


def feature_names(dataset: Dataset) -> list[str] | None:
    """Return the features of a dataset that is prepared on the disk; None for any other."""
    folder = find_prepared(data_root(dataset.data_dir), parse_address(dataset.source))
    if folder is None:
        return None
    import tensorflow_datasets as tfds

    return list(tfds.builder_from_directory(str(folder)).info.features)


def _open(address: Address, config: Config) -> Any:
    """Return a prepared builder; download the dataset only if it is not on disk."""
    root = data_root(config.data_dir)
    folder = find_prepared(root, address)
    import tensorflow_datasets as tfds

    if folder is not None:
        return tfds.builder_from_directory(str(folder))
    builder = _builder(address, str(root))
    size = builder.info.download_size
    print(
        f"Downloading tfds:{address}{f' ({size})' if size else ''} into {builder.data_dir}",
        file=sys.stderr,
    )
    try:
        builder.download_and_prepare()
    # Dataset scripts raise errors of any class: failed downloads or checksums, missing files or
    # packages. All mean that the dataset is unavailable.
    except Exception as error:
        raise DataError(f"TFDS could not prepare tfds:{address}: {first_line(error)}.") from error
    return builder


def _builder(address: Address, root: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(str(address), data_dir=root)
    except tfds.core.DatasetNotFoundError as error:
        near = did_you_mean(address.name, tfds.list_builders(with_community_datasets=False))
        raise DataError(f"Dataset {address.name!r} not found in TFDS.{near}") from error
    except (ValueError, AssertionError) as error:  # unknown config or version
        raise DataError(f"TFDS cannot open tfds:{address}: {first_line(error)}.") from error


def choose_splits(config: Config, present: list[str]) -> dict[str, str]:
    """Return the TFDS name or slice of each split that the dataset has.

    Settings take precedence. A split without a setting is found by its usual names, unless a
    setting uses any part of that TFDS split.

    Raises:
        DataError: A setting names a split that the dataset does not have.
    """
    named = named_splits(config)
    used = {base for name in named.values() for base in _bases(name)}
    # Mock data of TFDS have no split names and accept any.
    unknown = sorted(used - set(present)) if present else []
    if unknown:
        raise DataError(
            f"{config.dataset} has no split {unknown[0]!r} (splits: {', '.join(present)})."
            f"{did_you_mean(unknown[0], present)}"
        )
    chosen = {}
    for split in SPLITS:
        present_names = [alias for alias in ALIASES[split] if alias in (present or ["train"])]
        free = [alias for alias in present_names if alias not in used]
        name = named.get(split) or next(iter(free), None)
        if name:
            chosen[split] = name
    return chosen


def _bases(name: str) -> list[str]:
    return [part.split("[")[0].strip() for part in name.split("+")]


def _read_split(config: Config, builder: Any, split: str, columns: Columns) -> Examples:
    import tensorflow_datasets as tfds

    wanted = dict.fromkeys((*columns.inputs, *columns.labels), True)
    modality = modality_of(config)
    own = modality.feature_decoders(columns.inputs)
    decoders = tfds.decode.PartialDecoding(wanted, decoders=own)
    try:
        rows = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
    except (ValueError, AssertionError) as error:  # invalid slice
        raise DataError(
            f"Split {split!r} of {config.dataset} cannot be read: {first_line(error)}."
        ) from error
    pairs, count = [], int(rows.cardinality())
    with progress(f"reading {split}", count if count > 0 else None) as bar:
        for pair in _rows(rows, columns, split, modality):
            pairs.append(pair)
            bar.advance()
    origins = [f"{split}, example {index}" for index in range(len(pairs))]
    return Examples([item for item, _ in pairs], [label for _, label in pairs], origins)


def _rows(rows: Any, columns: Columns, split: str, modality: Modality) -> Iterator[tuple[Any, Any]]:
    for index, row in enumerate(rows.as_numpy_iterator()):
        item = modality.read_features([row[name] for name in columns.inputs])
        labels = [row[name] for name in columns.labels]
        yield item, columns.read_label(labels, f"example {index} of split {split!r}")
