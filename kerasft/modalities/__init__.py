"""Modalities, one file each: reading, preparing, features, serving.

A new modality is a new file with its Config class, and a line in `MODALITIES`.
Its methods may import `models` and `presets`, which do not know modalities. `data` imports this
package: what a method needs of it is passed as an argument.
The command line imports this package, so it needs only the standard library at import.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kerasft.config import Config, ConfigType
from kerasft.modalities.base import Modality, refuse
from kerasft.modalities.images import Images
from kerasft.modalities.input_types import Input, InputAudit, InputReaders, Serving
from kerasft.modalities.texts import Texts
from kerasft.setting_declaration import Setting, settings

IMAGES, TEXTS = Images(), Texts()
_OTHER = Modality()
_AUTO: Any = "auto"
_HEAD_EPOCHS = 2
MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (IMAGES, TEXTS)}

__all__ = [
    "IMAGES",
    "MODALITIES",
    "TEXTS",
    "Input",
    "InputAudit",
    "InputReaders",
    "Modality",
    "Serving",
    "features",
    "head_epochs",
    "known_settings",
    "modality_of",
    "recorded_modality",
    "refuse",
    "settled",
]


def modality_of(config: Config | type[Config]) -> Modality:
    """Return the modality of a config, or of a Config class.

    Example:
        >>> modality_of(ImageConfig()).name
        'images'
    """
    kind = config if isinstance(config, type) else type(config)
    found = (other for other in MODALITIES.values() if issubclass(kind, other.config_class))
    return next(found, _OTHER)


def settled(config: ConfigType) -> ConfigType:
    """Return the settings of a fit, with `auto` replaced where a record or a model depends on it.

    Example:
        >>> settled(ImageConfig(task="regression")).head_epochs
        2
    """
    chosen: ConfigType = modality_of(config).settle(config)
    return dataclasses.replace(chosen, head_epochs=head_epochs(chosen))


def head_epochs(config: Config) -> int:
    """Return the epochs of the head phase: the setting, with `auto` chosen by the start.

    A head phase brings a random output layer to where a linear probe is. With a frozen backbone,
    the main phase does.
    """
    if config.head_epochs != _AUTO:
        return config.head_epochs
    probe = modality_of(config).head_start(config) == "linear"
    return 0 if probe or config.trainable_blocks == 0 else _HEAD_EPOCHS


def known_settings() -> dict[str, Setting]:
    """Return the settings of recipes of every modality by name."""
    kinds = (Config, *(modality.config_class for modality in MODALITIES.values()))
    return {name: item for kind in kinds for name, item in settings(kind).items()}


def features(backbone: Any, config: Config) -> tuple[Any, Any]:
    """Connect a backbone to the inputs of its modality, with pooling to one vector per example.

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config: an ImageConfig (see `image_features`) or a TextConfig (see
            `text_features`).

    Returns:
        (inputs, features): model inputs, and float32 vectors of shape (batch, width).

    Raises:
        SettingError: The backbone does not read inputs of this modality.

    Example:
        >>> inputs, features = kerasft.features(backbone, config)
        >>> keras.Model(inputs, kerasft.head(features, config, data.labels))
    """
    return modality_of(config).features(backbone, config)


def recorded_modality(manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Modality:
    """Return the modality of a run from its record.

    Args:
        manifest: Of the run; those of older versions do not name a modality.
        config: Its settings: each modality has one of its own for its column.
    """
    if "modality" in manifest:
        return MODALITIES.get(manifest["modality"], _OTHER)
    found = (other for other in MODALITIES.values() if other.column in config)
    return next(found, _OTHER)
