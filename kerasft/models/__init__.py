"""Backbones, their blocks, heads and objectives."""

from kerasft.models.augmentation import augment
from kerasft.models.backbones import building, kept_backbones, load_backbone, pixel_scaling
from kerasft.models.blocks import Block, block_rows, block_table, find_blocks, freeze
from kerasft.models.cut import Cut
from kerasft.models.depth import describe_blocks
from kerasft.models.dials import Dial, DialedDropout, DialedL1L2
from kerasft.models.heads import head, image_features, pool_tokens, text_features
from kerasft.models.lora import add_adapters, merge_adapters
from kerasft.models.objective import (
    DIRECTIONS,
    DataLoss,
    MacroScore,
    choose_monitor,
    make_loss,
    make_metrics,
)

__all__ = [
    "DIRECTIONS",
    "Block",
    "Cut",
    "DataLoss",
    "Dial",
    "DialedDropout",
    "DialedL1L2",
    "MacroScore",
    "add_adapters",
    "augment",
    "block_rows",
    "block_table",
    "building",
    "choose_monitor",
    "describe_blocks",
    "find_blocks",
    "freeze",
    "head",
    "image_features",
    "kept_backbones",
    "load_backbone",
    "make_loss",
    "make_metrics",
    "merge_adapters",
    "pixel_scaling",
    "pool_tokens",
    "text_features",
]
