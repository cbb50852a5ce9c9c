"""Find exported models by their path; standard library only."""

from __future__ import annotations

from pathlib import Path

from kerasft.errors import SettingError, near_names
from kerasft.runs import find_export

_MODELS = "saved_models"  # default folder of exported models
_EXPORT = "Export a run: kerasft export RUN."


def need_export(path: str | Path) -> Path:
    """Return the folder of the exported model that a path names, as `find_export` finds it.

    Raises:
        SettingError: There is no exported model; the message has near names.
    """
    found = find_export(path)
    if found is not None:
        return found
    folder = Path(path)
    if (folder / "manifest.json").is_file():
        raise SettingError(
            f"{path} is a run, but an exported model is expected. Export it: kerasft export {path}."
        )
    if (folder / "config.json").is_file():
        raise SettingError(
            f"{path} is a preset, which has no proof, but an exported model is expected. A preset "
            f"is checked when a fit loads it: kerasft fit RECIPE --preset {path}."
        )
    if folder.exists() and str(path):
        raise SettingError(
            f"{path} has no exported model, but a folder NAME/VERSION is expected. {_EXPORT}"
        )
    near = [f"'{each}'" for each in _near_exports(folder)]
    hint = f"Did you mean {' or '.join(near)}?" if near else _EXPORT
    raise SettingError(f"Exported model {str(path)!r} not found. {hint}")


def _near_exports(path: Path) -> list[str]:
    """Return exported models that are probably meant: near names there, or another version."""
    for parent in (path.parent, Path(_MODELS)):
        others = parent.iterdir() if parent.is_dir() else ()
        near = near_names(path.name, [each.name for each in others if find_export(each)])
        if near:
            return [str(parent / name) for name in near]
    version = find_export(path.parent)
    return [] if version is None else [str(version)]
