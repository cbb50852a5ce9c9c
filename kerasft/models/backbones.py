"""Loads a pretrained backbone, and the scaling of pixels that it was trained with."""

from __future__ import annotations

import functools
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.presets import Preset, resolve

# ImageNet weights without a stated scaling are mostly of the -1..1 kind (Keras' "tf" mode).
DEFAULT_SCALING = (1 / 127.5, -1.0)


def load_backbone(preset: str, *, pretrained: bool = True) -> keras.Model:
    """Loads a KerasHub backbone with its pretrained weights.

    Args:
        preset: A KerasHub preset name, a folder in the layout of KerasHub, Hugging Face or timm,
            `hf://ORG/NAME`, or `package:NAME/FOLDER` for one inside an installed package.
        pretrained: False gives the same architecture with random weights.

    Returns:
        The backbone, a Functional `keras.Model` with everything trainable: call `freeze` next.

    Raises:
        SettingError: There is no such preset, or KerasHub cannot read it.
        NetworkError: It must be downloaded and its host cannot be reached.

    Example:
        >>> backbone = load_backbone("package:kerasft/assets/resnet_glyphs")
        >>> backbone.count_params()
        1230784
    """
    import keras_hub

    found = resolve(preset)
    options: dict[str, Any] = {"load_weights": pretrained}
    policy = keras.config.dtype_policy().name
    if policy != "float32":  # a saved preset names float32, which would win over the policy
        options["dtype"] = policy
    try:
        return keras_hub.models.Backbone.from_preset(found.location, **options)
    except (ValueError, KeyError, TypeError, ImportError, OSError) as error:
        raise _unreadable(found, error) from error


def _unreadable(preset: Preset, error: Exception) -> SettingError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return SettingError(f"The preset {preset.name} cannot be loaded by KerasHub: {first}")


@functools.lru_cache(maxsize=32)
def pixel_scaling(preset: str) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """Returns (scale, offset) so that `pixel * scale + offset` is what the backbone expects.

    Pixels are 0 to 255. The numbers come from the preset's image converter; a preset without
    one is taken to expect -1 to 1.

    Args:
        preset: As `load_backbone` takes it.
    """
    import keras_hub

    found = resolve(preset)
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(found.location)
    except (ValueError, FileNotFoundError):  # KerasHub's ways to say that there is none
        return DEFAULT_SCALING
    scale, offset = converter.scale, converter.offset
    return _plain(scale, 1.0), _plain(offset, 0.0)


def _plain(value: Any, default: float) -> float | tuple[float, ...]:
    if value is None:
        return default
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else float(value)
