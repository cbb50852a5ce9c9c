"""Images in folders: `root/class/*.jpg`, or `root/{train,validation,test}/class/*.jpg`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kerasft.config import Config, ImageConfig
from kerasft.data.examples import Examples
from kerasft.data.images import image_extensions
from kerasft.data.links import Links, counts
from kerasft.data.split_names import is_split_name, match_splits, named_splits
from kerasft.errors import DataError, SettingError


def scan_images(folder: Path, links: Links, others: Counter[str] | None = None) -> list[Path]:
    """Return all images below a folder, each file once, sorted by path.

    Args:
        folder: Where to look; hidden files and folders are left out.
        links: Which links are followed.
        others: Counts the endings of files that are no images.
    """
    paths = _iterate_images(folder, links, Counter() if others is None else others)
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def holds_images(folder: Path, links: Links) -> bool:
    """Return whether there is any image below a folder."""
    return next(_iterate_images(folder, links, Counter()), None) is not None


def _iterate_images(folder: Path, links: Links, others: Counter[str]) -> Iterator[Path]:
    for path in links.files(folder):
        if path.suffix.lower() in image_extensions():
            yield path
        else:
            others[path.suffix.lower() or path.name] += 1


def split_folders(config: Config, folders: list[Path], links: Links) -> dict[str, Path]:
    """Return the folders of the splits by name of the split; empty where there are none.

    A folder with a usual name is a split only when it holds folders and no images of its own: a
    class may be called `train`. A link to another split is left out.

    Raises:
        DataError: A setting names a folder that is not there.
    """
    names = {folder.name: folder for folder in folders}
    found = {split: names[name] for split, name in match_splits(config, names).items()}
    if not named_splits(config):
        found = {split: path for split, path in found.items() if holds_folders_only(path, links)}
        if "train" not in found and len(found) != len(folders):
            return {}
    kept = links.without_claims().distinct(list(found.values()))
    dropped = {path.name for path in found.values()} - {path.name for path in kept}
    found = {split: path for split, path in found.items() if path in kept}
    for split, name in named_splits(config).items():
        if split not in found:
            present = ", ".join(name for name in names if name not in dropped) or "none"
            raise DataError(
                f"{links.root} has no folder {name!r} for the {split} split{links.hint()}. Its "
                f"folders are: {present}. Name it with --{split}-split."
            )
    return found


def holds_folders_only(folder: Path, links: Links) -> bool:
    """Return whether a folder has subfolders and no images of its own."""
    has_images = any(
        counts(p.name) and p.suffix.lower() in image_extensions() for p in folder.iterdir()
    )
    return bool(links.visible_folders(folder)) and not has_images


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
    links, others = Links(root), Counter[str]()
    folders = links.visible_folders(root)
    parts = split_folders(config, folders, links)
    places = parts or {"train": root}
    classes = {name: _class_folders(path, links) for name, path in places.items()}
    kept = set(links.distinct([path for paths in classes.values() for path in paths]))
    splits = {
        name: _read_classes(places[name], [path for path in paths if path in kept], links, others)
        for name, paths in classes.items()
    }
    if parts:
        _check_classes(splits, parts, links)
    more = [path.name for path in folders if path not in parts.values() and path not in links]
    unused = ", ".join(more) if parts else ""
    notes = [f"Folders that are no split were left out: {unused}."] if unused else []
    return splits, notes + links.note() + _note_others(others)


def _class_folders(folder: Path, links: Links) -> list[Path]:
    classes = links.visible_folders(folder)
    if not classes or all(is_split_name(path.name) for path in classes):
        raise DataError(
            f"{folder} has no class folders{links.hint(folder)}. Expected: one folder a class with "
            f"its images, such as {folder.name}/cat/1.jpg."
        )
    return classes


def _read_classes(
    folder: Path, classes: list[Path], links: Links, others: Counter[str]
) -> Examples:
    inputs: list[Path] = []
    labels: list[str] = []
    for path in classes:
        images = scan_images(path, links, others)
        if not images:
            raise DataError(
                f"The class folder {path} has no images{links.hint(path)}: add some or delete the "
                "folder."
            )
        inputs += images
        labels += [path.name] * len(images)
    return Examples(inputs, labels, [path.relative_to(links.root).as_posix() for path in inputs])


def _check_classes(splits: dict[str, Examples], parts: dict[str, Path], links: Links) -> None:
    if "train" not in splits:
        return
    known = set(splits["train"].labels or ())
    for name, examples in splits.items():
        more = sorted(set(examples.labels or ()) - known)
        if more:
            raise DataError(
                f"{parts[name] / more[0]} has no class folder of that name in {parts['train']}"
                f"{links.hint(parts['train'] / more[0])}: every class must have training examples."
            )


def _note_others(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(others.items()))
    return [f"Files that are no images were left out: {kinds}."]
