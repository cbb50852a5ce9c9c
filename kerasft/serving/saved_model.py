"""A version of an exported model: SavedModel, proof, model card and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config
from kerasft.display import status
from kerasft.evaluation.artifact import MANIFEST
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.models import merge_adapters
from kerasft.presets import resolve
from kerasft.runs import Run, write_json, write_text
from kerasft.runs.provenance import current_time
from kerasft.serving import proof
from kerasft.serving.examples import proof_request
from kerasft.serving.model_card import license_of, model_card
from kerasft.serving.signatures import signatures
from kerasft.serving.verify import description_checksum, file_records, is_exact
from kerasft.serving.versions import publish, temporary_folder
from kerasft.setting_declaration import settings as settings_of

FORMAT = 1


def write_version(run: Run, loaded: Loaded, parent: Path, proof_data: Any) -> Path:
    """Write, prove and publish the next version of an exported model.

    Args:
        run: The run.
        loaded: The same run in memory.
        parent: Folder of the versions.
        proof_data: Inputs for the proof; None for the validation split of the run.

    Returns:
        Path of the version.

    Raises:
        DataError: There are no examples for the proof.
        ProofError: The answers of the model differ from Python's.
        ResourceError: The disk is full.
    """
    modality = modality_of(loaded.config)
    names = [spec.name for spec in modality.serving(loaded.config, pairs=loaded.pairs).signature]
    request, origins = proof_request(loaded, names, proof_data)
    described = _describe(run, loaded, names)
    merge_adapters(loaded.model)
    status("writing the SavedModel")
    with temporary_folder(parent, "version") as folder:
        _write_graph(loaded, folder)
        write_json(folder / proof.FILE, {**request, "manifest": description_checksum(described)})
        record = proof.prove(
            folder,
            loaded.labels,
            modality.serving_imports,
            exact=is_exact(described),
            origins=origins,
        )
        manifest = {**described, "name": parent.name, "proof": record}

        def finish(version: int) -> None:
            whole = {**manifest, "version": version}
            write_text(folder / "README.md", model_card(whole))
            write_json(folder / MANIFEST, {**whole, "files": file_records(folder)})

        return publish(folder, parent, finish)


def _write_graph(loaded: Loaded, folder: Path) -> None:
    found, layers = signatures(loaded)
    archive = keras.export.ExportArchive()
    for layer in layers:
        archive.track(layer)
    for name, signature in found.items():
        archive.add_endpoint(name, signature.function, input_signature=signature.inputs)
    archive.write_out(str(folder), verbose=False)


def _describe(run: Run, loaded: Loaded, names: list[str]) -> dict[str, Any]:
    """Return what a manifest says about the run: no path of this machine is in it."""
    record = run.manifest
    data = record.get("data", {})
    return {
        "format": FORMAT,
        "kind": "saved_model",
        "created": current_time(),
        "recipe": run.recipe,
        "run": run.name,
        "preset": _describe_preset(loaded, record["weights"]),
        "task": loaded.labels.task,
        "modality": modality_of(loaded.config).name,
        "inputs": names,
        "pairs": loaded.pairs,
        "labels": loaded.labels.to_dict(),
        "calibration": loaded.calibration.to_dict(),
        "preprocessing": _preparation(loaded.config),
        "settings": _settings(run),
        "data": {
            "dataset": _name(str(data.get("dataset") or loaded.config.dataset)),
            "fingerprint": data.get("fingerprint", ""),
            "examples": data.get("examples", {}),
            "notes": data.get("notes", []),
        },
        "metrics": run.metrics,
        "versions": record["versions"],
    }


def _settings(run: Run) -> dict[str, Any]:
    """Return the settings but the dataset, which `data` names, and paths of this machine."""
    return {
        name: value
        for name, value in run.config.items()
        if name != "dataset" and not (isinstance(value, str) and Path(value).is_absolute())
    }


def _preparation(config: Config) -> dict[str, Any]:
    """Return the settings by which inputs are prepared: those of the kind of input and recipe."""
    return {
        name: getattr(config, name)
        for name, item in settings_of(config).items()
        if item.affects == "data" and not item.role and name not in settings_of(Config)
    }


def _describe_preset(loaded: Loaded, weights: dict[str, Any]) -> dict[str, Any]:
    preset = loaded.config.preset
    if not preset:
        return {"name": None, "fingerprint": None, "license": ""}
    found = resolve(preset, pretrained=loaded.config.pretrained)
    name = _name(str(weights["preset"] or preset))
    return {
        "name": name,
        "fingerprint": weights["fingerprint"],
        "license": license_of(found.location),
    }


def _name(text: str) -> str:
    """Return a name of a dataset or preset; of a path the last part."""
    return Path(text).name if Path(text).is_absolute() else text
