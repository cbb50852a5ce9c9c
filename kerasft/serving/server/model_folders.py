"""Folders of models as a user names them; standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kerasft.errors import SettingError, did_you_mean
from kerasft.paths import expanded, numbered_folders

_GRAPH = "saved_model.pb"
_SAVED_MODEL = "saved_model"  # kind of an export in its manifest


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk.

    Attributes:
        name: Name under which it is served.
        path: Its folder, with a folder for every version.
        only: Number of the only version to serve, None for the newest.
        labels: Labels of versions that stay loaded.
    """

    name: str
    path: Path
    only: int | None = None
    labels: Mapping[str, int] = field(default_factory=dict)

    def versions(self) -> dict[int, Path]:
        """Return the folders of the versions by their number."""
        if not self.path.is_dir():
            return {}
        found = {
            number: folder
            for number, folder in numbered_folders(self.path).items()
            if (folder / _GRAPH).is_file()
        }
        return found if self.only is None else {k: v for k, v in found.items() if k == self.only}


def content_of(folder: Path) -> list[Any]:
    """Return names, sizes and times of the files of a version, which show whether it changed."""
    try:
        files = [(str(path), path.stat()) for path in sorted(folder.rglob("*"))]
    except FileNotFoundError:  # removed meanwhile
        return []
    return [(name, status.st_size, status.st_mtime_ns) for name, status in files]


def find_models(words: Sequence[str], models_dir: str, labels: Sequence[str]) -> list[ModelFolder]:
    """Return the models that are to be served.

    Args:
        words: Names in `models_dir`, or paths of a model's folder, of one version, or of a folder
            of models. Exports in other formats are left out.
        models_dir: Folder of exported models.
        labels: Labels, each as `LABEL=VERSION` or `MODEL:LABEL=VERSION`.

    Raises:
        SettingError: A model or the version of a label does not exist, two have one name, or all
            are exports in other formats.
    """
    models: dict[str, ModelFolder] = {}
    found = [model for word in words for model in _find(word, expanded(models_dir))]
    if not found:
        raise SettingError(
            f"{', '.join(words)} has no SavedModel, but an export in another format. Serve the "
            "model that `kerasft export RUN` writes without --format."
        )
    for model in found:
        if model.name in models:
            raise SettingError(
                f"Two models are named {model.name!r}: {models[model.name].path} and {model.path}. "
                "Serve them from two servers, or rename a folder."
            )
        models[model.name] = model
    for label in labels:
        model, name, number = _read_label(label, models)
        models[model.name] = replace(model, labels={**model.labels, name: number})
    return list(models.values())


def _find(word: str, models_dir: Path) -> list[ModelFolder]:
    """Return the models that a word names, none if it is an export in another format."""
    named = models_dir / word
    path = named if "/" not in word and named.is_dir() else expanded(word)
    path = path.resolve() if path.is_dir() else path
    if (path / _GRAPH).is_file() and path.name.isdigit():
        return [ModelFolder(path.parent.name, path.parent, int(path.name))]
    inside = sorted(path.iterdir()) if path.is_dir() else []
    models = [ModelFolder(each.name, each) for each in (path, *inside)]
    models = [model for model in models if model.versions()]
    if models or any(map(_has_another_format, (path, *inside))):
        return models
    if path.is_dir():
        raise SettingError(
            f"{path} has no version of a model: expected {path}/1/{_GRAPH}. Export one with "
            "`kerasft export RUN`."
        )
    folders = models_dir.iterdir() if models_dir.is_dir() else ()
    known = [each.name for each in folders if ModelFolder(each.name, each).versions()]
    hint = did_you_mean(word, known) or " Export one with `kerasft export RUN`."
    where = "" if "/" in word else f" in {models_dir}"
    raise SettingError(f"Model {word!r} not found{where}.{hint}")


def _has_another_format(folder: Path) -> bool:
    """Return whether a folder is a version of an export that is no SavedModel."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("kind", _SAVED_MODEL) != _SAVED_MODEL


def _read_label(text: str, models: Mapping[str, ModelFolder]) -> tuple[ModelFolder, str, int]:
    target, _, number = text.partition("=")
    name, _, label = target.rpartition(":")
    if not label or "/" in label or not (number.isascii() and number.isdigit()):
        raise SettingError(f"A label must be LABEL=VERSION. Received: {text!r}.")
    if not name and len(models) > 1:
        raise SettingError(f"Label {text!r} names no model: use MODEL:{text}.")
    model = models.get(name or next(iter(models)))
    if model is None:
        raise SettingError(f"Label {text!r} names the model {name!r}, which is not served.")
    if int(number) not in model.versions():
        known = ", ".join(map(str, sorted(model.versions())))
        raise SettingError(f"Version {number} of {model.name!r} not found. It has: {known}.")
    return model, label, int(number)
