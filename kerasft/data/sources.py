"""Data sources: read `config.dataset` into raw examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kerasft.config import Config
from kerasft.data.builtin import check_builtin, read_digits, read_tickets
from kerasft.data.columns import describe_columns, table_examples
from kerasft.data.examples import Examples
from kerasft.data.folders import has_own_images, holds_folders_only, holds_images, read_folder
from kerasft.data.split_names import match_splits, named_splits
from kerasft.data.symbolic_links import Links
from kerasft.data.tables import Table, memory_table, read_table, read_table_parts
from kerasft.dataset import ALIASES, Dataset, is_split_name
from kerasft.dataset_check import POSSIBLE, TABLE_EXTENSIONS, check_dataset, is_rendered
from kerasft.errors import DataError, NetworkError
from kerasft.in_memory import PREFIX
from kerasft.paths import expanded


def read_dataset(config: Config) -> dict[str, Examples]:
    """Read the dataset of a config into raw examples, without splitting or decoding them.

    Args:
        config: Settings; `dataset` and the settings of columns and splits are used.

    Returns:
        Examples of those of `train`, `validation` and `test` that the dataset has; only `train` if
        it has no splits.

    Raises:
        DataError: The dataset does not exist or cannot be used.
        NetworkError: The dataset must be downloaded and the network is unreachable.

    Example:
        >>> read_dataset(ImageConfig(dataset="builtin:digits"))["train"].labels[0]
        '0'
    """
    return read_source(config)[0]


def read_source(config: Config) -> tuple[dict[str, Examples], list[str]]:
    """Read the dataset like `read_dataset`, and also return notes about it."""
    dataset = config.dataset.source
    check_dataset(dataset, config.data_dir)
    if is_rendered(dataset):
        raise DataError(
            f"{dataset} is rendered while a model is trained on it and has no examples to read. "
            "Use it as the dataset of `kerasft fit`."
        )
    if dataset.startswith("tfds:"):
        from kerasft.data.tfds import read_tfds

        return read_tfds(config)
    if dataset.startswith("builtin:"):
        check_builtin(dataset.removeprefix("builtin:"), config)
    if dataset == "builtin:digits":
        return {"train": read_digits(config)}, []
    if dataset == "builtin:tickets":
        return _from_table(config, read_tickets())
    if dataset.startswith(PREFIX):
        return _from_table(config, memory_table(dataset))
    path = expanded(dataset)
    if path.is_dir():
        return _from_folder(config, path)
    siblings = _siblings(path)
    if siblings:
        return _from_files(config, {path.stem: path, **siblings}, [path.name])
    return _from_table(config, read_table(path))


def stream_table(config: Config, rows: int) -> Iterator[Examples] | None:
    """Return the examples of a table file without splits part by part; None for other datasets.

    Args:
        config: Settings, as for `read_dataset`.
        rows: Number of examples of a part, at most.
    """
    path = expanded(config.dataset.source)
    is_table = path.suffix.lower() in TABLE_EXTENSIONS and path.is_file()
    if not is_table or named_splits(config) or _siblings(path):
        return None
    if any(name.lower() == "split" for name in column_names(config.dataset) or ()):
        return None
    return (table_examples(config, part)[0] for part in read_table_parts(path, rows))


def column_names(dataset: Dataset) -> list[str] | None:
    """Return the columns or features of a dataset, an empty list where it has none.

    None where it cannot be opened.
    """
    try:
        check_dataset(dataset.source, dataset.data_dir)
        if dataset.source.startswith("tfds:"):
            from kerasft.data.tfds import feature_names

            return feature_names(dataset)
        if dataset.source.startswith("builtin:"):
            return list(read_tickets().columns) * (dataset.source == "builtin:tickets")
        if dataset.source.startswith(PREFIX):
            return list(memory_table(dataset.source).columns)
        path = expanded(dataset.source)
        tables = _tables(path) if path.is_dir() else [path]
        return list(next(read_table_parts(tables[0], 1)).columns) if tables else []
    except (DataError, NetworkError):
        return None


def _tables(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in TABLE_EXTENSIONS
        and path.is_file()
        and not path.name.startswith(".")
    )


def _from_table(config: Config, table: Table) -> tuple[dict[str, Examples], list[str]]:
    """Read one table, split by its column `split` if it has one."""
    examples, table = table_examples(config, table)
    notes = describe_columns(config, table)
    column = next((name for name in table.columns if name.lower() == "split"), None)
    values = [] if column is None else [str(value).strip() for value in table.columns[column]]
    found = match_splits(config, set(values))
    missing = set(named_splits(config)) - set(found)
    if missing:
        split = sorted(missing)[0]
        where = f"value {named_splits(config)[split]!r} in its column 'split'"
        raise DataError(
            f"{table.path} has no {where} for the {split} split. Add it, or leave out "
            f"--{split}-split."
        )
    if not found:
        return {"train": examples}, notes
    splits = {
        split: examples.select(row for row, value in enumerate(values) if value == name)
        for split, name in found.items()
    }
    first = next(iter(splits))
    splits[first] = replace(splits[first], dropped=examples.dropped)
    left = len(examples) - sum(map(len, splits.values()))
    if left:
        notes.append(f"Rows skipped (another value in column 'split'): {left:,}.")
    return splits, notes


def _siblings(path: Path) -> dict[str, Path]:
    """Return the tables of validation and test splits (test.csv, ...) next to a train.csv."""
    if path.stem.lower() not in ALIASES["train"]:
        return {}
    names = ALIASES["validation"] + ALIASES["test"]
    return {
        other.stem: other
        for other in sorted(path.parent.iterdir())
        if other.stem.lower() in names and other.suffix == path.suffix and other.is_file()
    }


def _from_files(
    config: Config, files: dict[str, Path], given: list[str]
) -> tuple[dict[str, Examples], list[str]]:
    """Read one table per split."""
    found = match_splits(config, files)
    for split, name in named_splits(config).items():
        if split not in found:
            present = ", ".join(path.name for path in files.values())
            raise DataError(
                f"Table {name!r} of the {split} split not found (tables: {present}). Name an "
                f"existing one with --{split}-split."
            )
    tables = {split: read_table(files[name]) for split, name in found.items()}
    splits = {split: table_examples(config, table)[0] for split, table in tables.items()}
    columns = describe_columns(config, next(iter(tables.values()))) if tables else []
    more = [f"{files[name].name} ({split})" for split, name in found.items()]
    more = [name for name in more if name.split(" (")[0] not in given]
    notes = [f"Other splits read from the same folder: {', '.join(more)}."] if more else []
    return splits, columns + (notes if given else [])


def _from_folder(config: Config, root: Path) -> tuple[dict[str, Examples], list[str]]:
    """Read a folder of class folders, or of tables if it has no class folders."""
    tables = _tables(root)
    stems = {path.stem: path for path in tables}
    by_split = set(match_splits(config, stems).values()) if "train" in stems else set()
    if by_split and not _has_classes(root):
        return _from_files(config, {name: stems[name] for name in by_split}, [])
    if len(tables) == 1 and not _has_classes(root):
        return _from_table(config, read_table(tables[0]))
    links = Links(root)
    flat = has_own_images(root) and not tables  # else the images can be those of the tables
    if not flat and not any(holds_images(path, links) for path in links.visible_folders(root)):
        found = ", ".join(path.name for path in tables) or "no table and no folder of images"
        raise DataError(f"{root} contains {found}{links.hint()}. {POSSIBLE}")
    return read_folder(config, root)


def _has_classes(root: Path) -> bool:
    """Return whether the subfolders are classes or splits, not just the images of a table."""
    links = Links(root)
    present = links.without_claims().distinct(links.visible_folders(root))
    folders = [folder for folder in present if holds_images(folder, links)]
    if all(is_split_name(folder.name) for folder in folders):
        return any(holds_folders_only(folder, links) for folder in folders)
    return len(folders) > 1
