"""Presets on the Hugging Face hub, downloaded as a folder of one revision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kerasft.display import status
from kerasft.errors import NetworkError, SettingError, first_line
from kerasft.reachable_hosts import require_host

# What KerasHub reads of a folder in its own layout, that of Hugging Face, or of timm, and the
# card with the license. The weights of a task would be a second copy of the backbone's.
_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "model*.weights.h5", "README.md"]
_WEIGHTS = ("model*.safetensors", "model*.weights.h5")


def fetch_snapshot(preset: str, *, pretrained: bool, instead: str) -> Path:
    """Return the folder of a preset on the hub, after downloading it if it is not in the cache.

    The folder is named by its commit. Without a revision, `main` is taken as it was downloaded
    first: the hub is not asked again.

    Args:
        preset: `hf://ORG/NAME`, or `hf://ORG/NAME@REVISION` with a branch, tag or commit.
        pretrained: Whether the weights are needed.
        instead: Advice for work without a network.

    Raises:
        SettingError: The name has another form, or the hub has no such preset.
        NetworkError: A download is needed and the hub cannot be reached.
    """
    name, revision = _parse(preset)
    return find_snapshot(preset, pretrained=pretrained) or _download(
        preset, name, revision, instead
    )


def hub_host() -> tuple[str, int]:
    """Return host and port of the hub, which the variable HF_ENDPOINT may change."""
    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    return str(address.hostname), address.port or (80 if address.scheme == "http" else 443)


def find_snapshot(preset: str, *, pretrained: bool) -> Path | None:
    """Return the folder of a preset on the hub if it is in the cache, else None.

    Args:
        preset: Preset, as in `fetch_snapshot`.
        pretrained: Whether the weights are needed.

    Raises:
        SettingError: The name has another form.
    """
    folder = _cached(*_parse(preset))
    return folder if folder is not None and _is_whole(folder, pretrained) else None


def _parse(preset: str) -> tuple[str, str]:
    """Return the name and the revision of a preset, which can be empty."""
    name, at, revision = preset.removeprefix("hf://").partition("@")
    parts = revision.split("/") if at else []  # in the cache of the client it is a path
    if name.count("/") != 1 or not all(name.split("/")) or {"", ".", ".."} & set(parts):
        raise SettingError(
            f"`preset` must be hf://ORG/NAME or hf://ORG/NAME@REVISION. Received: "
            f"preset={preset!r}."
        )
    return name, revision


def _cached(name: str, revision: str) -> Path | None:
    """Return the folder of a revision in the cache of the hub's client, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            name, revision=revision or None, local_files_only=True, allow_patterns=_FILES
        )
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise SettingError(f"`preset` has a wrong name: {first_line(error)}.") from error
    return Path(found)


def _is_whole(folder: Path, pretrained: bool) -> bool:
    """Return whether a folder has what KerasHub reads; others may have cached parts of it."""
    if not (folder / "config.json").is_file() or not pretrained:
        return (folder / "config.json").is_file()
    found = {path.name for pattern in _WEIGHTS for path in folder.glob(pattern)}
    indices = [json.loads(path.read_bytes()) for path in folder.glob("*.index.json")]
    shards = {name for index in indices for name in index.get("weight_map", {}).values()}
    return bool(found) and shards <= found


def _download(preset: str, name: str, revision: str, instead: str) -> Path:
    """Download a revision; its size is shown before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    host, port = hub_host()
    require_host(host, port=port, to_fetch=f"the preset {preset}", instead=instead)
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": _FILES}
    try:
        disable_progress_bars()  # of the list of files
        try:
            size = _missing_bytes(snapshot_download(name, dry_run=True, **wanted))
        finally:
            enable_progress_bars()
        status(f"downloading the preset {preset} ({size / 1e6:,.1f} MB) from {host}")
        return Path(snapshot_download(name, **wanted))
    except OSError as error:
        missing = (RepositoryNotFoundError, RevisionNotFoundError)
        # A dry run raises an error of its own from that of the hub.
        if not isinstance(error, missing) and not isinstance(error.__cause__, missing):
            failed = f"The download of {preset} failed: {first_line(error)}."
            raise NetworkError(failed) from error
        raise SettingError(
            f"{host} has no preset {preset}, or none that you may read. Correct the name or the "
            "revision; log in (hf auth login) if it is private or gated."
        ) from error


def _missing_bytes(files: Sequence[Any]) -> int:
    return sum(file.file_size for file in files if file.will_download)
