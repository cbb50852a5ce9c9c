"""Data sets of TensorFlow Datasets: from disk where they are prepared, else downloaded."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import SPLITS, Examples
from kerasft.data.features import Columns, find_columns
from kerasft.data.names import ALIASES, named_splits
from kerasft.errors import DataError, did_you_mean
from kerasft.network import require_host

_NAME = re.compile(r"(?P<name>\w+)(?:/(?P<config>[^/:]+))?(?::(?P<version>\d+\.\d+\.\d+))?")
_HOST = "storage.googleapis.com"


@dataclass(frozen=True)
class Address:
    """`tfds:NAME[/CONFIG][:VERSION]` in its parts."""

    name: str
    config: str | None
    version: str | None

    def __str__(self) -> str:
        config = f"/{self.config}" if self.config else ""
        return f"{self.name}{config}" + (f":{self.version}" if self.version else "")


def parse_address(dataset: str) -> Address:
    """Returns the parts of a data set's address.

    Raises:
        DataError: It has another form.
    """
    match = _NAME.fullmatch(dataset.removeprefix("tfds:"))
    if match is None:
        raise DataError(
            f"`dataset` must be tfds:NAME, tfds:NAME/CONFIG or tfds:NAME:1.2.3. Received: "
            f"{dataset}."
        )
    return Address(match["name"], match["config"], match["version"])


def read_tfds(config: Config) -> tuple[dict[str, Examples], list[str]]:
    """Reads a data set of TensorFlow Datasets.

    Args:
        config: `dataset`, `data_dir`, the splits (with TFDS' slicing) and the columns are used.

    Returns:
        The examples by split, and notes.

    Raises:
        DataError: There is no such data set, split or feature, or labels are hidden.
        NetworkError: It must be downloaded and there is no network.
    """
    address = parse_address(config.dataset)
    builder = _open(address, config)
    splits = choose_splits(config, list(builder.info.splits))
    columns = find_columns(config, builder.info, str(address))
    parts = {split: _read_split(config, builder, name, columns) for split, name in splits.items()}
    first, *second = columns.inputs
    notes = [f"Texts are pairs: {first!r}, then {second[0]!r}."] if second else []
    return parts, notes


def _open(address: Address, config: Config) -> Any:
    """Returns a prepared builder; nothing is downloaded when the data set lies on the disk."""
    root = data_root(config)
    folder = find_prepared(root, address)
    if folder is None:
        _require_network(address)
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
    # Scripts of data sets raise any kind of error: of the download, a checksum, a missing manual
    # file, a missing package; each means that this data set cannot be had.
    except Exception as error:
        raise DataError(f"TFDS could not prepare tfds:{address}: {_first_line(error)}") from error
    return builder


def _require_network(address: Address) -> None:
    names = _names_on_disk()
    hint = "" if address.name in names else did_you_mean(address.name, names)
    require_host(
        _HOST,
        to_fetch=f"the data set tfds:{address}",
        instead=f"{hint} A data set that TFDS has prepared is read from --data-dir DIR; "
        "resnet_digits and minilm_tickets work without a network.".strip(),
    )


def _builder(address: Address, root: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(str(address), data_dir=root)
    except tfds.core.DatasetNotFoundError as error:
        near = did_you_mean(address.name, tfds.list_builders(with_community_datasets=False))
        raise DataError(f"TFDS has no data set {address.name!r}.{near}") from error
    except (ValueError, AssertionError) as error:  # of an unknown configuration or version
        raise DataError(f"TFDS cannot open tfds:{address}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def data_root(config: Config) -> Path:
    """Returns the folder in which TFDS keeps its data sets."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return Path(config.data_dir or default).expanduser()


def find_prepared(root: Path, address: Address) -> Path | None:
    """Returns the folder of a prepared data set, or None; its newest version unless one is named.

    Raises:
        DataError: Several configurations are there and none is named.
    """
    folder = root / address.name
    if address.config is not None:
        return _newest(folder / address.config, address.version)
    found = _newest(folder, address.version)
    if found is not None or not folder.is_dir():
        return found
    below = {p.name: _newest(p, address.version) for p in sorted(folder.iterdir()) if p.is_dir()}
    configs = {name: path for name, path in below.items() if path is not None}
    if len(configs) > 1:
        raise DataError(
            f"tfds:{address} has several configurations in {folder}: {', '.join(configs)}. Name "
            f"one: tfds:{address.name}/{next(iter(configs))}."
        )
    return next(iter(configs.values()), None)


def _newest(folder: Path, version: str | None) -> Path | None:
    versions = [p.parent for p in folder.glob(f"{version or '*'}/dataset_info.json")]
    numbered = [p for p in versions if re.fullmatch(r"\d+\.\d+\.\d+", p.name)]
    return max(numbered, key=lambda p: tuple(map(int, p.name.split("."))), default=None)


def _names_on_disk() -> list[str]:
    """Returns most names that TFDS knows, from its files: importing it takes seconds."""
    package = importlib.util.find_spec("tensorflow_datasets")
    roots = package.submodule_search_locations if package else None
    paths = [p for root in roots or () for p in Path(root).glob("datasets/*")]
    paths += [p for root in roots or () for p in Path(root).glob("url_checksums/*.txt")]
    return sorted({p.stem for p in paths if not p.name.startswith("_")})


def choose_splits(config: Config, present: list[str]) -> dict[str, str]:
    """Returns TFDS' name or slice for every split that is given.

    Settings win; a usual name counts for a split without one, unless a setting uses any part of it.

    Raises:
        DataError: A setting names a split that the data set does not have.
    """
    named = named_splits(config)
    used = {base for name in named.values() for base in _bases(name)}
    # TFDS' mock data have no names of splits and accept any.
    unknown = sorted(used - set(present)) if present else []
    if unknown:
        raise DataError(
            f"{config.dataset} has no split {unknown[0]!r}.{did_you_mean(unknown[0], present)} Its "
            f"splits are: {', '.join(present)}."
        )
    chosen = {}
    for split in SPLITS:
        usual = [alias for alias in ALIASES[split] if alias in (present or ["train"])]
        free = [alias for alias in usual if alias not in used]
        name = named.get(split) or next(iter(free), None)
        if name:
            chosen[split] = name
    return chosen


def _bases(name: str) -> list[str]:
    return [part.split("[")[0].strip() for part in name.split("+")]


def _read_split(config: Config, builder: Any, split: str, columns: Columns) -> Examples:
    import tensorflow_datasets as tfds

    wanted = dict.fromkeys((*columns.inputs, *columns.labels), True)
    # Images stay the bytes of their files: one decoder reads them, whatever their source.
    skip = {columns.inputs[0]: tfds.decode.SkipDecoding()} if columns.image else None
    decoders = tfds.decode.PartialDecoding(wanted, decoders=skip)
    try:
        rows = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
    except (ValueError, AssertionError) as error:  # of a slice that cannot be
        raise DataError(
            f"{config.dataset} cannot be read as {split!r}: {_first_line(error)}"
        ) from error
    pairs = list(_rows(rows, columns, split))
    origins = [f"{split}, example {index}" for index in range(len(pairs))]
    return Examples([item for item, _ in pairs], [label for _, label in pairs], origins)


def _rows(rows: Any, columns: Columns, split: str) -> Iterator[tuple[Any, Any]]:
    for index, row in enumerate(rows.as_numpy_iterator()):
        values = [row[name] for name in columns.inputs]
        texts = values if columns.image else [value.decode("utf-8") for value in values]
        item = texts[0] if len(texts) == 1 else tuple(texts)
        labels = [row[name] for name in columns.labels]
        yield item, columns.read_label(labels, f"example {index} of split {split!r}")
