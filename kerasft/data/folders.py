"""Images in folders: `root/class/*.jpg`, or `root/{train,validation,test}/class/*.jpg`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data.split_names import match_splits, named_splits
from kerasft.data.symbolic_links import Links, counts
from kerasft.dataset import is_split_name
from kerasft.dataset_check import no_class_folders
from kerasft.errors import DataError, SettingError
from kerasft.modalities import modality_of
from kerasft.modalities.image_decoding import image_extensions
from kerasft.tasks import task_of


def scan_images(folder: Path, links: Links, others: Counter[str] | None = None) -> list[Path]:
    """Return all images below a folder, each file once, sorted by path.

    Args:
        folder: Folder to search; hidden files and folders are skipped.
        links: Rules for following links.
        others: Counter of the suffixes of files that are not images, updated in place.
    """
    paths = _iterate_images(folder, links, Counter() if others is None else others)
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def holds_images(folder: Path, links: Links) -> bool:
    """Return whether a folder contains images, at any depth."""
    return next(_iterate_images(folder, links, Counter()), None) is not None


def _iterate_images(folder: Path, links: Links, others: Counter[str]) -> Iterator[Path]:
    for path in links.files(folder):
        if path.suffix.lower() in image_extensions():
            yield path
        else:
            others[path.suffix.lower() or path.name] += 1


def split_folders(config: Config, folders: list[Path], links: Links) -> dict[str, Path]:
    """Return the folder of each split, or an empty dict if the folders are not splits.

    A folder with the usual name of a split is a split only if it contains folders and no images of
    its own, because a class may be called `train`. A link to another split is skipped.

    Raises:
        DataError: A setting names a folder that does not exist.
    """
    names = {folder.name: folder for folder in folders}
    found = {split: names[name] for split, name in match_splits(config, names).items()}
    if not named_splits(config):
        found = {split: path for split, path in found.items() if holds_folders_only(path, links)}
        if "train" not in found and len(found) != len(folders):
            return {}
    unique = links.without_claims().distinct(list(found.values()))
    dropped = {path.name for path in found.values()} - {path.name for path in unique}
    found = {split: path for split, path in found.items() if path in unique}
    for split, name in named_splits(config).items():
        if split not in found:
            present = ", ".join(name for name in names if name not in dropped) or "none"
            raise DataError(
                f"{links.root} has no folder {name!r} for the {split} split{links.hint()}; its "
                f"folders are: {present}. Name an existing one with --{split}-split."
            )
    return found


def holds_folders_only(folder: Path, links: Links) -> bool:
    """Return whether a folder has subfolders and no images of its own."""
    return bool(links.visible_folders(folder)) and not has_own_images(folder)


def has_own_images(folder: Path) -> bool:
    """Return whether a folder has images that are in none of its subfolders."""
    return any(counts(p.name) and p.suffix.lower() in image_extensions() for p in folder.iterdir())


def read_folder(config: Config, root: Path) -> tuple[dict[str, Examples], list[str]]:
    """Read a folder of images.

    Args:
        config: Settings; the task and the names of the splits are used.
        root: Folder with one subfolder per class, or per split with one subfolder per class.

    Returns:
        Examples by split, and notes.

    Raises:
        DataError: A class folder is empty, there are no class folders, or a split has a class that
            the training split lacks.
        SettingError: The task is not classification.
    """
    if not modality_of(config).class_folders:
        raise DataError(
            f"{root} is a folder of images, but this recipe takes texts. Give a table of texts, or "
            "use a recipe for images."
        )
    if not task_of(config.task).from_folders:
        raise SettingError(
            f"Class folders have one class per image and do not fit task={config.task}. Give a "
            "table with an image column and a label column."
        )
    links, others = Links(root), Counter[str]()
    folders = links.visible_folders(root)
    parts = split_folders(config, folders, links)
    places = parts or {"train": root}
    classes = {name: _class_folders(path, links) for name, path in places.items()}
    unique = set(links.distinct([path for paths in classes.values() for path in paths]))
    splits = {
        name: _read_classes(places[name], [path for path in paths if path in unique], links, others)
        for name, paths in classes.items()
    }
    if parts:
        _check_classes(splits, parts, links)
    more = [path.name for path in folders if path not in parts.values() and path not in links]
    unused = ", ".join(more) if parts else ""
    notes = [f"Folders skipped (not a split): {unused}."] if unused else []
    return splits, notes + links.note() + _note_others(others) + _note_nested(splits.values())


def _class_folders(folder: Path, links: Links) -> list[Path]:
    classes = links.visible_folders(folder)
    if not classes or all(is_split_name(path.name) for path in classes):
        raise no_class_folders(folder, links.hint(folder))
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
                f"The class folder {path} has no images{links.hint(path)}. Add some, or delete the "
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
                f"The class {parts[name] / more[0]} has no folder in {parts['train']}"
                f"{links.hint(parts['train'] / more[0])}. Add training examples of the class, or "
                "delete its folder."
            )


def _note_nested(splits: Iterable[Examples]) -> list[str]:
    """Return a note about class folders whose images are in subfolders only."""
    own, below = set[str](), dict[str, str]()
    for examples in splits:
        for path, name, origin in zip(
            examples.inputs, examples.labels or (), examples.origins, strict=True
        ):
            if path.parent.name == name:
                own.add(name)
            else:
                below.setdefault(name, origin)
    nested = [name for name in below if name not in own]
    if not nested:
        return []
    more = ", ..." if len(nested) > 3 else ""
    return [
        f"Images only in subfolders of {len(nested)} of {len(own | below.keys())} class folders "
        f"({', '.join(nested[:3])}{more}), such as {below[nested[0]]}; the first folder level "
        "names the class."
    ]


def _note_others(others: Counter[str]) -> list[str]:
    if not others:
        return []
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(others.items()))
    return [f"Files skipped (not images): {kinds}."]
