"""Backbones, their blocks, freezing, heads and objectives."""

from kerasft.models.augmentation import augment
from kerasft.models.backbones import BackboneCache, building, load_backbone
from kerasft.models.block_summary import describe_blocks
from kerasft.models.blocks import Block, block_rows, block_table, find_blocks
from kerasft.models.freezing import changing_weights, freeze
from kerasft.models.heads import head, with_features
from kerasft.models.lora import add_adapters, merge_adapters
from kerasft.models.mutable_scalars import MutableDropout, MutableL1L2, MutableScalar
from kerasft.models.objective import (
    DataLoss,
    MacroScore,
    choose_monitor,
    make_loss,
    make_metrics,
)
from kerasft.models.towers import tower_of

__all__ = [
    "BackboneCache",
    "Block",
    "DataLoss",
    "MacroScore",
    "MutableDropout",
    "MutableL1L2",
    "MutableScalar",
    "add_adapters",
    "augment",
    "block_rows",
    "block_table",
    "building",
    "changing_weights",
    "choose_monitor",
    "describe_blocks",
    "find_blocks",
    "freeze",
    "head",
    "load_backbone",
    "make_loss",
    "make_metrics",
    "merge_adapters",
    "tower_of",
    "with_features",
]
