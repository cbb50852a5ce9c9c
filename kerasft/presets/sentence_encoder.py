"""Whether the weights of a preset are those of a sentence encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.presets.resolve import resolve

# sentence-transformers writes it into the folder of every model.
_SENTENCE_ENCODER = "config_sentence_transformers.json"


def is_sentence_encoder(config: Any) -> bool:
    """Return whether the preset was trained so that the cosine compares two texts."""
    if not config.preset or not config.pretrained:
        return False
    return (Path(resolve(config.preset).location) / _SENTENCE_ENCODER).is_file()
