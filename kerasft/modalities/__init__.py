"""Modalities, one file each: reading, preparing, features, serving.

A new modality is a new file, a line in `MODALITIES`, and its features in `kerasft.models.heads`.
`data` and `models` import this package, not the reverse: their functions are passed as arguments.
The command line imports this package, so it needs only the standard library at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kerasft.config import Config
from kerasft.modalities.base import Input, InputReaders, Modality, refuse
from kerasft.modalities.images import Images
from kerasft.modalities.texts import Texts

IMAGES, TEXTS = Images(), Texts()
_OTHER = Modality()
MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (IMAGES, TEXTS)}

__all__ = [
    "IMAGES",
    "MODALITIES",
    "TEXTS",
    "Input",
    "InputReaders",
    "Modality",
    "modality_of",
    "recorded_modality",
    "refuse",
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


def recorded_modality(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> Modality:
    """Return the modality of a run from its record.

    Args:
        manifest: Of the run; those of older versions do not name a modality.
        settings: Its config: each modality has a setting of its own for its column.
    """
    if "modality" in manifest:
        return MODALITIES.get(manifest["modality"], _OTHER)
    found = (other for other in MODALITIES.values() if other.column in settings)
    return next(found, _OTHER)
