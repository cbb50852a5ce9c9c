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

# ImageNet weights without a stated scaling mostly expect -1 to 1 (the "tf" mode of Keras).
DEFAULT_SCALING = (1 / 127.5, -1.0)


@functools.lru_cache(maxsize=32)
def pixel_scaling(preset: str) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """Return (scale, offset) so that `pixel * scale + offset` is in the range of the backbone.

    Pixels are 0 to 255. The numbers come from the preset's image converter, or from the
    preprocessor_config.json of Hugging Face; a KerasHub preset without one is assumed to
    expect -1 to 1.

    Args:
        preset: Preset, as `load_backbone` takes it.

    Raises:
        SettingError: A preset of Hugging Face or timm has no scaling.
    """
    found = resolve(preset, pretrained=False)
    if found.kind in ("applications", "file"):
        return (1.0, 0.0) if _scales_itself(found) else DEFAULT_SCALING
    import keras_hub

    try:
        converter = keras_hub.layers.ImageConverter.from_preset(found.location)
    except (ValueError, FileNotFoundError):  # KerasHub raises these if the preset has no converter
        return DEFAULT_SCALING
    if converter is None:  # KerasHub reads the converters of some Hugging Face families only
        return _processor_scaling(found)
    scale, offset = converter.scale, converter.offset
    return _plain(scale, 1.0), _plain(offset, 0.0)


def _processor_scaling(found: Preset) -> tuple[Any, Any]:
    """Return the scaling of the Hugging Face image processor beside the weights."""
    name = "preprocessor_config.json"
    try:
        values = json.loads((Path(found.location) / name).read_text(encoding="utf-8"))
        mean, std = (np.array(values[key], float) for key in ("image_mean", "image_std"))
    except (OSError, ValueError, KeyError) as error:
        raise SettingError(
            f"The preset {found.name} has no pixel scaling: expected a readable {name} with "
            f"image_mean and image_std (timm: a pretrained_cfg with input_size). Add it."
        ) from error
    factor = values.get("rescale_factor", 1 / 255) if values.get("do_rescale", True) else 1.0
    if not values.get("do_normalize", True):
        return factor, 0.0
    return tuple(factor / std), tuple(-mean / std)


def _scales_itself(found: Preset) -> bool:
    """Return whether a Keras model scales its pixels itself."""
    if found.kind == "applications":
        return found.location.startswith("ConvNeXt")
    with zipfile.ZipFile(found.location) as archive:
        layers = json.loads(archive.read("config.json"))["config"].get("layers", [])
    return any(layer["class_name"] in ("Rescaling", "Normalization") for layer in layers)


def _plain(value: Any, default: float) -> float | tuple[float, ...]:
    if value is None:
        return default
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else float(value)
