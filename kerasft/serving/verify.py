"""Verification of an exported model: checksums of its files, and its proof again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError, SettingError
from kerasft.evaluation.artifact import MANIFEST, open_artifact
from kerasft.runs import sha256
from kerasft.serving.proof import prove


def verify(path: str | Path) -> dict[str, Any]:
    """Verify an exported model: the checksum of every file, and the proof again.

    Args:
        path: Folder of an exported version, or of a model, of which the highest version is meant.

    Returns:
        The record of the new proof, as in `manifest.json`, and the number of `files`.

    Raises:
        SettingError: There is no exported model, or it has no manifest.
        DamagedFileError: A file is missing, changed or added.
        ProofError: The model answers otherwise than Python did when it was exported.

    Example:
        >>> kerasft.verify("saved_models/resnet_digits")["largest_difference"]
    """
    artifact = open_artifact(path)
    if artifact is None:
        raise SettingError(f"{path} has no exported model. Give a folder NAME/VERSION.")
    recorded = artifact.manifest["files"]
    present = file_records(artifact.path)
    for name in sorted({*recorded, *present}):
        before, now = recorded.get(name), present.get(name)
        if before != now:
            what = "is missing" if now is None else "is new" if before is None else "has changed"
            raise DamagedFileError(
                f"{artifact.path / name} {what} since the export. Restore the folder or export "
                "again."
            )
    exact = artifact.manifest["proof"]["test"] == "exact"
    modules = artifact.modality.serving_imports
    record = prove(artifact.path, artifact.labels, modules, exact=exact)
    return {**record, "files": len(present)}


def file_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the SHA-256 and the size of every file of an exported model except its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in paths
        if path != folder / MANIFEST
    }
