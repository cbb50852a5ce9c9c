"""How the texts of a pair are read: together by one backbone, or each by itself in two towers."""

from __future__ import annotations

from typing import Any

from kerasft.presets.sentence_encoder import is_sentence_encoder

PAIR = "_pair"  # end of the names of the arrays of a second text


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


def has_towers(config: Any) -> bool:
    """Return whether a model of these settings reads each text of a pair by itself."""
    return choose_pair_mode(config) == "towers"
