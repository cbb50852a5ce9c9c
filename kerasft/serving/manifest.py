"""What the manifest of an exported model says about its run, and a version with its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.evaluation.artifact_manifest import MANIFEST
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.presets import resolve
from kerasft.runs import Run, write_json, write_text
from kerasft.runs.provenance import current_time
from kerasft.serving.model_card import license_of, model_card
from kerasft.serving.verify import file_records
from kerasft.serving.versions import publish
from kerasft.setting_declaration import settings as settings_of

FORMAT = 1


def describe(run: Run, loaded: Loaded, names: list[str]) -> dict[str, Any]:
    """Return what a manifest says about the run: no path of this machine is in it.

    Args:
        run: The run.
        loaded: The same run in memory.
        names: Names of the inputs.
    """
    record = run.manifest
    data = record.get("data", {})
    return {
        "format": FORMAT,
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
        "best_epoch": record.get("best_epoch"),
        **_describe_average(record),
        "versions": record["versions"],
    }


def _describe_average(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many of the offered fits are in an average; nothing for a single fit."""
    if "soup" not in record:
        return {}
    taken = sum(one["taken"] for one in record["soup"])
    return {"average": {"fits": taken, "offered": len(record["soup"])}}


def publish_version(folder: Path, parent: Path, manifest: Mapping[str, Any]) -> Path:
    """Write model card and manifest of a proved export, and publish it as the next version.

    Args:
        folder: Folder with all other files.
        parent: Folder of the versions, which has the name of the model.
        manifest: Manifest without `name`, `version` and `files`.

    Returns:
        Path of the version.
    """

    def finish(version: int) -> None:
        whole = {**manifest, "name": parent.name, "version": version}
        write_text(folder / "README.md", model_card(whole))
        write_json(folder / MANIFEST, {**whole, "files": file_records(folder)})

    return publish(folder, parent, finish)


def _settings(run: Run) -> dict[str, Any]:
    """Return the settings but the dataset, which `data` names, and paths of this machine.

    An exported model computes in float32, whatever the format of the training.
    """
    found = {
        name: value
        for name, value in run.config.items()
        if name != "dataset" and not (isinstance(value, str) and Path(value).is_absolute())
    }
    return {**found, "precision": "float32"}


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
