"""The start of the output layer of texts, and the length of the vectors that it reads.

Class means compare directions, so they suit the vectors of a sentence encoder, at one length.
"""

from __future__ import annotations

from typing import Any

from kerasft.presets.sentence_encoder import is_sentence_encoder
from kerasft.tasks import task_of


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
