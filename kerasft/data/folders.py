"""Images in folders: `root/class/*.jpg`, or `root/{train,validation,test}/class/*.jpg`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kerasft.config import Config, ImageConfig
from kerasft.data.examples import Examples
from kerasft.data.images import image_extensions
from kerasft.data.split_names import is_split_name, match_splits, named_splits
from kerasft.errors import DataError, SettingError

_NOT_DATA = ("__MACOSX",)


def visible_folders(folder: Path) -> list[Path]:
    """Return the subfolders that may hold data, sorted by name."""
    return sorted(p for p in folder.iterdir() if _counts(p.name) and p.is_dir())


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_DATA


def scan_images(folder: Path, others: Counter[str] | None = None) -> list[Path]:
    """Return all images below a folder, sorted by path.

    Hidden files and folders and dangling links are left out; links to folders are followed, each
    folder once.

    Args:
        folder: Where to look.
        others: Counts the endings of files that are no images.
    """
    paths = _iterate_images(folder, Counter() if others is None else others)
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def holds_images(folder: Path) -> bool:
    """Return whether there is any image below a folder."""
    return next(_iterate_images(folder, Counter()), None) is not None


def _iterate_images(folder: Path, others: Counter[str]) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if _counts(name))
        for name in files:
            path = Path(parent, name)
            if not _counts(name) or not path.is_file():
                continue
            if path.suffix.lower() in image_extensions():
                yield path
            else:
                others[path.suffix.lower() or path.name] += 1


def split_folders(config: Config, root: Path) -> dict[str, Path]:
    """Return the folders of the splits by name of the split; empty where there are none.

    A folder with a usual name is a split only when it holds folders and no images of its own: a
    class may be called `train`.

    Raises:
        DataError: A setting names a folder that is not there.
    """
    folders = {folder.name: folder for folder in visible_folders(root)}
    for split, name in named_splits(config).items():
        if name not in folders:
            present = ", ".join(folders) or "none"
            raise DataError(
                f"{root} has no folder {name!r} for the {split} split. Its folders are: {present}. "
                f"Name it with --{split}-split."
            )
    found = {split: folders[name] for split, name in match_splits(config, folders).items()}
    if named_splits(config):
        return found
    found = {split: path for split, path in found.items() if holds_folders_only(path)}
    return found if "train" in found or len(found) == len(folders) else {}


def holds_folders_only(folder: Path) -> bool:
    """Return whether a folder has subfolders and no images of its own."""
    has_images = any(
        _counts(p.name) and p.suffix.lower() in image_extensions() for p in folder.iterdir()
    )
    return bool(visible_folders(folder)) and not has_images


def read_folder(config: Config, root: Path) -> tuple[dict[str, Examples], list[str]]:
    """Read an image folder.

    Args:
        config: Names of the splits and the task.
        root: A folder with one folder a class, or one a split.

    Returns:
        The examples by split, and notes.

    Raises:
        DataError: A class is empty, there is only one, or a split has a class more than train.
    """
    if not isinstance(config, ImageConfig):
        raise DataError(
            f"{root} is a folder of images, and this recipe takes texts: give a table of texts, or "
            "use a recipe for images."
        )
    if config.task != "classification":
        raise SettingError(
            f"A folder of class folders gives one class an image. For task={config.task} give a "
            "table with an image column and a label column."
        )
    others: Counter[str] = Counter()
    parts = split_folders(config, root)
    if not parts:
        examples = _read_classes(root, root, others)
        return {"train": examples}, _note_others(others)
    splits = {name: _read_classes(path, root, others) for name, path in parts.items()}
    _check_classes(splits, parts)
    unused = [p.name for p in visible_folders(root) if p not in parts.values()]
    notes = [f"Folders that are no split were left out: {', '.join(unused)}."] if unused else []
    return splits, notes + _note_others(others)


def _read_classes(folder: Path, root: Path, others: Counter[str]) -> Examples:
    classes = visible_folders(folder)
    if not classes or all(is_split_name(path.name) for path in classes):
        raise DataError(
            f"{folder} has no class folders. Expected: one folder a class with its images, such as "
            f"{folder.name}/cat/1.jpg."
        )
    inputs: list[Path] = []
    labels: list[str] = []
    for path in classes:
        images = scan_images(path, others)
        if not images:
            raise DataError(
                f"The class folder {path} has no images: add some or delete the folder."
            )
        inputs += images
        labels += [path.name] * len(images)
    return Examples(inputs, labels, [path.relative_to(root).as_posix() for path in inputs])


def _check_classes(splits: dict[str, Examples], parts: dict[str, Path]) -> None:
    if "train" not in splits:
        return
    known = set(splits["train"].labels or ())
    for name, examples in splits.items():
        more = sorted(set(examples.labels or ()) - known)
        if more:
            raise DataError(
                f"{parts[name] / more[0]} has no class folder of that name in {parts['train']}: "
                "every class must have training examples."
            )


def _note_others(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(others.items()))
    return [f"Files that are no images were left out: {kinds}."]
