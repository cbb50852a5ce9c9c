"""Provenance of a run: versions, recipe, data paths and weights."""

from __future__ import annotations

import dataclasses
import datetime
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from kerasft.catalog import load_recipe, recipe_sha256
from kerasft.config import Config, changed_settings
from kerasft.errors import ResumeError, SettingError
from kerasft.in_memory import PREFIX
from kerasft.paths import expanded, whole
from kerasft.presets import resolve, whole_path
from kerasft.runs import RECIPE, Run
from kerasft.runs.versions import package_versions
from kerasft.setting_declaration import settings


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform and the packages that affect results."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found["backend"] = keras.backend.backend()
    return found | package_versions()


def current_time() -> str:
    """Return the time in UTC as records have it: `2026-01-31T12:00:00+00:00`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def describe_recipe(module: ModuleType) -> dict[str, Any]:
    """Return the name of a recipe, the source to load it from, and the hash of its file.

    The source is the name of an installed recipe, or the path of any other file.
    """
    name = module.__name__.rpartition(".")[2]
    path = getattr(module, "__file__", None)
    if module.__name__ == f"kerasft.recipes.{name}":
        return {"name": name, "source": name, "sha256": recipe_sha256(module)}
    if path is None:
        return {"name": name, "source": None, "sha256": None}
    return {
        "name": Path(path).stem,
        "source": str(Path(path).resolve()),
        "sha256": recipe_sha256(module),
    }


def recorded_recipe(run: Run) -> ModuleType:
    """Import the recipe of a run, after checking its file against the recorded hash.

    A run folder may come from an untrusted source and name any file. A recipe of the package may
    differ if another version of kerasft made the run.

    Raises:
        ResumeError: The recipe was not found, has changed, or has no recorded hash.
    """
    manifest = run.manifest
    source, digest = str(manifest["recipe"].get("source") or ""), manifest["recipe"].get("sha256")
    upgraded = _is_upgraded(source, manifest.get("versions", {}))
    if not source or not (digest or upgraded):
        raise ResumeError(
            f"{run.path} does not record the file and the hash of its recipe. Fit again with a "
            "recipe file."
        )
    try:
        return load_recipe(source, sha256=None if upgraded else digest)
    except (SettingError, ResumeError) as error:
        raise ResumeError(
            f"The recipe of {run.path} cannot be loaded: {error}{restore_hint(run)}"
        ) from error


def restore_hint(run: Run) -> str:
    """Return how to restore the recipe of a run, or an empty string if the run has no copy."""
    manifest = run.manifest
    kept, recorded = manifest.get("files", {}).get(RECIPE), manifest["recipe"].get("sha256")
    if kept is None or kept != recorded:
        return ""
    path = shlex.quote(str(run.path))
    return f" The run keeps the recorded source: kerasft show {path} --recipe > FILE.py."


def _is_upgraded(source: str, then: Mapping[str, Any]) -> bool:
    """Return whether a recipe of this package was recorded by another version of it."""
    packaged = Path(source).name == source and not source.endswith(".py")
    return packaged and then.get("kerasft") != versions()["kerasft"]


def recipe_changed(
    recorded: Mapping[str, Any], then: Mapping[str, Any], present: Mapping[str, Any]
) -> bool:
    """Return whether a recipe differs from the recorded one.

    A recipe of the package may change with the version of the package.

    Args:
        recorded: Recorded recipe, as `describe_recipe` returned it.
        then: Recorded versions, as `versions` returned them.
        present: Current recipe, as `describe_recipe` returns it.
    """
    if _is_upgraded(str(recorded.get("source") or ""), then):
        return bool(recorded["source"] != present["source"])
    return bool(recorded["sha256"] != present["sha256"])


def anchored(config: Config) -> Config:
    """Return settings that are valid from any folder: the user's paths made absolute.

    Paths that are defaults of the recipe are unchanged.
    """
    changed, dataset = changed_settings(config), config.dataset
    if dataset.source != settings(config)["dataset"].default:
        dataset = dataclasses.replace(dataset, source=_anchored_path(dataset.source))
    if dataset.data_dir is not None and "data_dir" in changed:
        dataset = dataclasses.replace(dataset, data_dir=_anchored_path(dataset.data_dir))
    return dataclasses.replace(config, preset=whole_path(config.preset), dataset=dataset)


def _anchored_path(text: str) -> str:
    """Return the whole path of what exists on the disk; a name of a dataset stays as it is."""
    named = not text or text.startswith(("tfds:", "builtin:", PREFIX))
    return text if named or not expanded(text).exists() else str(whole(text))


def describe_weights(config: Config) -> dict[str, Any]:
    """Return which weights a run stores.

    `trained` if the frozen rest can be loaded again from a preset; `all` for random backbones and
    recipes without a preset. Presets that Kaggle or Keras downloaded also have the hash of their
    files.
    """
    if not config.preset:
        return {"stored": "all", "preset": None, "fingerprint": None}
    preset = resolve(config.preset, pretrained=config.pretrained)
    return {
        "stored": "trained" if config.pretrained else "all",
        "preset": preset.name,
        "fingerprint": preset.fingerprint,
        **({"sha256": preset.sha256} if preset.sha256 else {}),
    }


def weights_changed(recorded: Mapping[str, Any], config: Config) -> bool:
    """Return whether the preset of a config differs from the one that a run recorded.

    Files that are not downloaded yet have no hash. Runs of older versions have none either, and no
    fingerprint of `hf://` presets.
    """
    now = describe_weights(config)
    return any(
        recorded.get(name) and now.get(name) and recorded[name] != now[name]
        for name in ("fingerprint", "sha256")
    )
