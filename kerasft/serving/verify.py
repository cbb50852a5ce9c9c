"""Verification of an exported model: checksums of its files, and its proof again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.errors import DamagedFileError
from kerasft.evaluation.artifact import Artifact
from kerasft.evaluation.artifact_manifest import MANIFEST
from kerasft.evaluation.runtime import PREPARED, RUNTIMES, require
from kerasft.runs import plain_json, read_json, sha256
from kerasft.serving.find import need_export
from kerasft.serving.graph_proof import prove_graph
from kerasft.serving.huggingface import proof as folder_proof
from kerasft.serving.proof import FILE, prove

_LATER = ("name", "version", "proof", "files")  # parts of a manifest that follow its proof


def verify(path: str | Path) -> dict[str, Any]:
    """Verify an exported model: the checksums of its files and its record, and the proof again.

    Args:
        path: Folder of an exported version, or of a model, of which the highest version is meant;
            or its `.onnx` or `.tflite` file.

    Returns:
        The record of the new proof, as in `manifest.json`, and the number of `files`.

    Raises:
        SettingError: There is no exported model, it has no manifest, or the package of its runtime
            is not installed.
        DamagedFileError: A file is missing, changed or added, or the manifest was changed.
        ProofError: The answers of the model differ from Python's when it was exported.

    Example:
        >>> kerasft.verify("saved_models/resnet_digits")["largest_difference"]
    """
    artifact = Artifact(need_export(path))
    if (kind := artifact.manifest["kind"]) in PREPARED:
        require(RUNTIMES[kind], kind)
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
    if read_json(artifact.path / FILE, "manifest")["manifest"] != description_checksum(
        artifact.manifest
    ):
        raise DamagedFileError(
            f"{artifact.path / MANIFEST} has changed since the export. Restore the file or export "
            "again."
        )
    return {**_prove_again(artifact), "files": len(present)}


def _prove_again(artifact: Artifact) -> dict[str, Any]:
    if artifact.manifest["kind"] == folder_proof.KIND:
        return folder_proof.prove(artifact.path, artifact.labels)
    exact = is_exact(artifact.manifest)
    if artifact.manifest["kind"] in PREPARED:
        return prove_graph(artifact.path, artifact.labels, exact=exact)
    modules = artifact.modality.serving_imports
    return prove(artifact.path, artifact.labels, modules, exact=exact)


def is_exact(manifest: Mapping[str, Any]) -> bool:
    """Return whether an exported model computes in float32."""
    whole = manifest["settings"].get("precision", "float32") == "float32"
    return whole and not manifest.get("quantize")


def description_checksum(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a manifest says about the run, which `proof.json` has.

    Labels, calibration, settings and metrics are part of it; name, version, proof and checksums of
    files, which are known later, are not.
    """
    described = {name: value for name, value in manifest.items() if name not in _LATER}
    text = json.dumps(plain_json(described), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the SHA-256 and the size of every file of an exported model except its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in paths
        if path != folder / MANIFEST
    }
