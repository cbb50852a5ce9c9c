"""Pixel scaling of image presets."""

from __future__ import annotations

import functools
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.errors import SettingError
from kerasft.presets.resolve import Preset, resolve

# ImageNet weights without a stated scaling are mostly of the -1..1 kind (Keras' "tf" mode).
DEFAULT_SCALING = (1 / 127.5, -1.0)


@functools.lru_cache(maxsize=32)
def pixel_scaling(preset: str) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """Return (scale, offset) so that `pixel * scale + offset` is what the backbone expects.

    Pixels are 0 to 255. The numbers come from the preset's image converter, or from the
    preprocessor_config.json of Hugging Face; a preset of KerasHub without one is taken to expect
    -1 to 1.

    Args:
        preset: As `load_backbone` takes it.

    Raises:
        SettingError: A folder of Hugging Face or timm does not tell.
    """
    found = resolve(preset, pretrained=False)
    if found.kind in ("applications", "file"):
        return (1.0, 0.0) if _scales_itself(found) else DEFAULT_SCALING
    import keras_hub

    try:
        converter = keras_hub.layers.ImageConverter.from_preset(found.location)
    except (ValueError, FileNotFoundError):  # KerasHub's ways to say that there is none
        return DEFAULT_SCALING
    if converter is None:  # of Hugging Face's families KerasHub reads some converters alone
        return _processor_scaling(found)
    scale, offset = converter.scale, converter.offset
    return _plain(scale, 1.0), _plain(offset, 0.0)


def _processor_scaling(found: Preset) -> tuple[Any, Any]:
    """Return the scaling that Hugging Face's image processor has beside the weights."""
    name = "preprocessor_config.json"
    try:
        if found.kind == "hf":
            from huggingface_hub import hf_hub_download

            file = hf_hub_download(found.location.removeprefix("hf://"), name)
        else:
            file = str(Path(found.location) / name)
        values = json.loads(Path(file).read_text(encoding="utf-8"))
        mean, std = (np.array(values[key], float) for key in ("image_mean", "image_std"))
    except (OSError, ValueError, KeyError) as error:  # the hub's errors are of these kinds
        raise SettingError(
            f"The preset {found.name} does not tell how pixels are scaled: it has no readable "
            f"{name} with image_mean and image_std (of timm: no pretrained_cfg with an input_size)."
        ) from error
    factor = values.get("rescale_factor", 1 / 255) if values.get("do_rescale", True) else 1.0
    if not values.get("do_normalize", True):
        return factor, 0.0
    return tuple(factor / std), tuple(-mean / std)


def _scales_itself(found: Preset) -> bool:
    """Return whether a model of Keras has the scaling of its pixels inside."""
    if found.kind == "applications":
        return found.location.startswith("ConvNeXt")
    with zipfile.ZipFile(found.location) as archive:
        layers = json.loads(archive.read("config.json"))["config"].get("layers", [])
    return any(layer["class_name"] in ("Rescaling", "Normalization") for layer in layers)


def _plain(value: Any, default: float) -> float | tuple[float, ...]:
    if value is None:
        return default
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else float(value)
