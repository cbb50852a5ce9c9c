"""Settings whose `auto` depends on whether the weights are those of a sentence encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.presets.resolve import resolve
from kerasft.tasks import task_of

PAIR = "_pair"  # end of the names of the arrays of a second text

# sentence-transformers writes it into the folder of every model.
_SENTENCE_ENCODER = "config_sentence_transformers.json"


def choose_pair_mode(config: Any) -> str:
    """Return `cross` or `towers`: the setting `pair_mode`, with `auto` chosen by the preset.

    Args:
        config: Config, of which `pair_mode`, `text_pair_column` and `preset` are used. Without
            such settings, or without a second column, there are no towers.

    Example:
        >>> choose_pair_mode(TextConfig(text_pair_column="b", pair_mode="towers"))
        'towers'
    """
    if getattr(config, "text_pair_column", None) is None:
        return "cross"
    if config.pair_mode != "auto":
        return str(config.pair_mode)
    return "towers" if is_sentence_encoder(config) else "cross"


def choose_head_start(config: Any) -> str:
    """Return the start of the output layer: the setting `head_start`, with `auto` chosen.

    Args:
        config: Config, of which `head_start`, `task`, `preset`, `head_epochs` and
            `trainable_blocks` are used.
    """
    if config.head_start != "auto":
        return str(config.head_start)
    if task_of(config.task).several:
        return "linear"
    if not _compares_classes(config):
        return "random"
    return "class_means" if config.trainable_blocks else "linear"


def choose_feature_norm(config: Any) -> str:
    """Return `none` or `rms`: the setting `feature_norm`, with `auto` chosen by the start."""
    if config.feature_norm != "auto":
        return str(config.feature_norm)
    started = choose_head_start(config) != "random"
    return "rms" if started and _compares_classes(config) else "none"


def _compares_classes(config: Any) -> bool:
    """Return whether an output layer for classes of a sentence encoder is trained alone first."""
    alone = config.head_epochs or config.trainable_blocks == 0
    return bool(alone and task_of(config.task).class_weight and is_sentence_encoder(config))


def has_towers(config: Any) -> bool:
    """Return whether a model of these settings reads each text of a pair by itself."""
    return choose_pair_mode(config) == "towers"


def is_sentence_encoder(config: Any) -> bool:
    """Return whether the preset was trained so that the cosine compares two texts."""
    if not config.preset or not config.pretrained:
        return False
    return (Path(resolve(config.preset).location) / _SENTENCE_ENCODER).is_file()
