"""Check that a dataset exists before it is read.

No heavy imports: a mistyped path or a missing network is reported before TensorFlow starts.
"""

from __future__ import annotations

import importlib.util
import mimetypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

from kerasft.dataset import Dataset, is_split_name
from kerasft.display import status
from kerasft.errors import DataError, did_you_mean, near_names
from kerasft.in_memory import PREFIX, kept_columns
from kerasft.paths import expanded, shortest
from kerasft.reachable_hosts import Download, require_host

TABLE_EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
BUILTIN = {
    "digits": "scikit-learn's 1,797 handwritten digits, 8 by 8 pixels",
    "tickets": "short support messages with intent and urgency",
    "glyphs": "letters of many scripts, newly rendered for every training step",
}
# Names of built-in datasets in older recipes and run folders.
FORMER_NAMES = {"rendered glyphs": "builtin:glyphs"}
POSSIBLE = (
    "Give a folder of class folders, a table (.csv, .tsv, .jsonl, .parquet), tfds:NAME, or "
    + " or ".join(f"builtin:{name}" for name in BUILTIN)
    + "."
)
_NAME = re.compile(r"(?P<name>\w+)(?:/(?P<config>[^/:]+))?(?::(?P<version>\d+\.\d+\.\d+))?")
_HOST = "storage.googleapis.com"


@dataclass(frozen=True)
class Address:
    """The parts of `tfds:NAME[/CONFIG][:VERSION]`."""

    name: str
    config: str | None
    version: str | None

    def __str__(self) -> str:
        config = f"/{self.config}" if self.config else ""
        return f"{self.name}{config}" + (f":{self.version}" if self.version else "")


def parse_address(dataset: str) -> Address:
    """Parse the address of a TFDS dataset.

    Raises:
        DataError: The address has another form.
    """
    match = _NAME.fullmatch(dataset.removeprefix("tfds:"))
    if match is None:
        raise DataError(
            f"`dataset` must be tfds:NAME, tfds:NAME/CONFIG or tfds:NAME:1.2.3. Received: "
            f"{dataset}."
        )
    return Address(match["name"], match["config"], match["version"])


def is_rendered(dataset: str) -> bool:
    """Return whether a dataset is rendered during training, without examples to read."""
    return FORMER_NAMES.get(dataset, dataset) == "builtin:glyphs"


def check_dataset(dataset: str, data_dir: str | None = None) -> None:
    """Check that a dataset exists or can be downloaded, without reading it.

    Args:
        dataset: Source: `tfds:NAME`, `builtin:NAME`, the path of a folder or table, or the name
            of a table in memory.
        data_dir: Folder of TFDS datasets; the default of TFDS if None.

    Raises:
        DataError: The dataset was not found.
        NetworkError: A download is needed and its host cannot be reached.

    Example:
        >>> check_dataset("builtin:digits")
    """
    download = find_dataset_download(dataset, data_dir)
    if download is not None:
        _require_network(parse_address(dataset), download)


def find_dataset_download(dataset: str, data_dir: str | None = None) -> Download | None:
    """Return the download that a dataset needs, None if it is on this machine.

    Args:
        dataset: Source, as in `check_dataset`.
        data_dir: Folder of TFDS datasets; the default of TFDS if None.

    Raises:
        DataError: The dataset was not found.
    """
    dataset = FORMER_NAMES.get(dataset, dataset)
    if dataset.startswith("tfds:"):
        address = parse_address(dataset)
        if find_prepared(data_root(data_dir), address) is None:
            return Download(f"the dataset tfds:{address} ({_download_size(address)})", _HOST)
    elif dataset.startswith(PREFIX):
        kept_columns(dataset)
    elif dataset.startswith("builtin:"):
        _check_builtin(dataset.removeprefix("builtin:"))
    else:
        path = expanded(dataset)
        if not dataset or not _exists(path):
            raise DataError(f"Dataset {dataset!r} not found.{_near_dataset(dataset)} {POSSIBLE}")
        if not path.is_dir() and path.suffix.lower() not in TABLE_EXTENSIONS:
            raise DataError(f"{path} is not a table in a supported format. {POSSIBLE}")
    return None


def check_class_folders(dataset: Dataset) -> None:
    """Check that a folder of images has subfolders, the classes, or a table with the labels.

    Datasets that are not a folder pass.

    Raises:
        DataError: It has neither, or its only subfolder has the class folders.
    """
    folder = expanded(dataset.source)
    if not dataset.source or not _exists(folder) or not folder.is_dir():
        return
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not any(path.is_dir() or path.suffix.lower() in TABLE_EXTENSIONS for path in visible):
        raise no_class_folders(folder)
    named = dataset.train or dataset.validation or dataset.test
    if len(visible) == 1 and not named and _has_class_folders(visible[0]):
        raise no_class_folders(folder)


def _has_class_folders(folder: Path) -> bool:
    """Return whether the only folder of a dataset seems to have its classes, not to be a split."""
    return (
        folder.is_dir()
        and not is_split_name(folder.name)
        and not _images(folder)
        and sum(path.is_dir() and _images(path) for path in folder.iterdir()) > 1
    )


def no_class_folders(folder: Path, skipped: str = "") -> DataError:
    """Return the error of a folder without class folders, with what to do.

    That is to give its parent if it seems to be one of several class folders itself, or its only
    subfolder if that has class folders.

    Args:
        folder: The folder.
        skipped: Links in it that were skipped, in parentheses after a space.
    """
    flat = _images(folder)
    what = "has images, but no class folders" if flat else "has no class folders"
    predict = f"; images without labels can be predicted: kerasft predict RUN {folder}" * flat
    return DataError(f"{folder} {what}{skipped}. {_how_to_arrange(folder)}{predict}.")


def _how_to_arrange(folder: Path) -> str:
    inner = next((path for path in folder.iterdir() if _has_class_folders(path)), None)
    if inner is not None:
        return f"Its class folders seem to be in {shortest(inner)}: --dataset {shortest(inner)}"
    parent = folder.absolute().parent
    classes = [path.name for path in sorted(parent.iterdir()) if path.is_dir() and _images(path)]
    if folder.absolute().name in classes and len(classes) > 1:
        several = f"one of the {len(classes)} classes of {parent}"
        return f"It seems to be {several}: --dataset {shortest(parent)}"
    return (
        f"Put the images of each class into a folder of their own, such as {folder.name}/cat/1.jpg"
    )


def _images(folder: Path) -> bool:
    """Return whether a folder has image files, by their names."""
    kinds = (mimetypes.guess_type(path.name)[0] or "" for path in folder.iterdir())
    return any(kind.startswith("image/") for kind in kinds)


def _near_dataset(dataset: str) -> str:
    """Return a hint at the dataset that is meant, or an empty string."""
    path = expanded(dataset)
    named = [f"builtin:{dataset}"] * (dataset in BUILTIN)
    named += [f"tfds:{dataset}"] * (dataset.partition("/")[0] in _names_on_disk())
    if named:
        return f" Did you mean '{named[0]}'?"
    if not dataset or not _exists(path.parent) or not path.parent.is_dir():
        return ""
    names = [
        other.name
        for other in path.parent.iterdir()
        if other.suffix.lower() in TABLE_EXTENSIONS or other.is_dir()
    ]
    near = [f"'{path.with_name(name)}'" for name in near_names(path.name, names)]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _check_builtin(name: str) -> None:
    """Raise DataError if the built-in dataset is unknown."""
    if name not in BUILTIN:
        known = ", ".join(f"builtin:{known}" for known in BUILTIN)
        raise DataError(
            f"Built-in dataset {name!r} not found.{did_you_mean(name, BUILTIN)} Known: {known}."
        )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the path is too long
        return False


def _require_network(address: Address, download: Download) -> None:
    """Raise NetworkError if the host of TFDS cannot be reached."""
    names = _names_on_disk()
    hint = "" if address.name in names else did_you_mean(address.name, names)
    require_host(
        download.host,
        to_fetch=download.what,
        instead=f"{hint} Use --data-dir DIR with a prepared TFDS dataset, or a recipe "
        "that needs no network (resnet_digits, minilm_tickets).".strip(),
    )
    status(f"downloading {download.what} from {download.host}")


def data_root(data_dir: str | None) -> Path:
    """Return the folder of TFDS datasets."""
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return expanded(data_dir or default)


def find_prepared(root: Path, address: Address) -> Path | None:
    """Return the folder of a prepared dataset, of its newest version by default, or None.

    Raises:
        DataError: Several configurations exist and the address names none.
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


def _download_size(address: Address) -> str:
    """Return the size of a download, from the checksums in the package of TFDS.

    They have all files of a dataset, of which a configuration or version may need some.
    """
    name = address.name
    paths = _package_files(f"datasets/{name}/checksums.tsv", f"url_checksums/{name}.txt")
    lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
    # Columns: address, size, SHA-256, and in newer files the name.
    rows = [
        line.split("\t") if "\t" in line else line.rsplit(maxsplit=2)
        for line in lines
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        return "size unknown"
    size = sum(int(row[1]) for row in rows) / 1e6
    shown = f"{size:,.0f} MB" if size >= 1 else f"{size:.1g} MB"
    return f"about {shown}" if len(rows) == 1 else f"at most {shown}"


def _names_on_disk() -> list[str]:
    """Return most dataset names of TFDS from its files, because its import takes seconds."""
    paths = _package_files("datasets/*", "url_checksums/*.txt")
    return sorted({p.stem for p in paths if not p.name.startswith("_")})


def _package_files(*patterns: str) -> list[Path]:
    """Return files in the package of TFDS by glob patterns, without importing it."""
    package = importlib.util.find_spec("tensorflow_datasets")
    roots = package.submodule_search_locations if package else None
    return [p for root in roots or () for pattern in patterns for p in Path(root).glob(pattern)]
