"""Low-rank adapters (LoRA): small trained matrices added to the frozen kernels of a block.

Hu et al. 2021, arXiv 2106.09685. The adapters are those of Keras (`enable_lora`); this module
chooses the layers that get them and freezes the rest of the block.
"""

from __future__ import annotations

import math
import re
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.blocks import find_blocks, flatten_layers

# The attention projections that benefit most (Hu et al., section 7.1), by their names in the
# KerasHub families, as layers or as attributes of the enclosing layer.
_PROJECTIONS = re.compile(r"query|value|qkv|(^|_)[qv](_|$)")
_DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)


def add_adapters(model: keras.Model, rank: int) -> None:
    """Add adapters to the trained blocks of a model and freeze the rest of these blocks.

    In a block with attention, the query and value projections get adapters. In other blocks, every
    dense layer and every convolution that is not depthwise does. Call it after `freeze` and before
    compiling. Dropout in the blocks stays active.

    Args:
        model: Backbone, or model with a backbone inside.
        rank: Rank of the adapters, at least 1; 4 to 16 are usual.

    Raises:
        SettingError: No block is trained, no layer of these blocks supports adapters, or the rank
            exceeds that of the kernels.

    Example:
        >>> add_adapters(part, 8)
    """
    trained = [block for block in find_blocks(model) if block.trained_parameters]
    if not trained:
        raise SettingError(
            "`lora_rank` needs trained blocks. Set `trainable_blocks` to their number, or to -1 "
            "for all."
        )
    layers = [[x for top in block.layers for x in flatten_layers(top)] for block in trained]
    _check_rank(rank, [layer for inner in layers for layer in _targets(inner)])
    for inner in layers:
        targets = _targets(inner)
        for layer in targets:
            layer.enable_lora(rank)
        for layer in inner:
            alone = len(flatten_layers(layer)) == 1 and layer.weights
            if alone and layer not in targets:
                layer.trainable = False  # also freezes BatchNormalization statistics
            for variable in layer.weights:
                variable.trainable = "lora_" in variable.name


def _check_rank(rank: int, targets: list[Any]) -> None:
    """Raise SettingError if there are no target layers, or if all have a lower rank."""
    if not targets:
        raise SettingError(
            "`lora_rank` needs a dense or convolution layer, but the trained blocks have none. Set "
            "lora_rank=0, or train other blocks."
        )
    shapes = [layer.kernel.shape for layer in targets]
    largest = max(min(math.prod(shape[:-1]), shape[-1]) for shape in shapes)
    if rank > largest:
        raise SettingError(
            f"`lora_rank` must be at most {largest}, the maximum rank of kernels in the trained "
            f"blocks. Received: {rank}."
        )


def _targets(layers: list[Any]) -> list[Any]:
    named = {id(x) for x in layers if _PROJECTIONS.search(x.name)}
    named |= {
        id(inner)
        for layer in layers
        for name, inner in vars(layer).items()
        if isinstance(inner, _DENSE) and _PROJECTIONS.search(name)
    }
    attention = [x for x in layers if isinstance(x, _DENSE) and id(x) in named]
    if attention:
        return attention
    return [
        layer
        for layer in layers
        if isinstance(layer, _DENSE) or (type(layer) in _CONVOLUTIONS and layer.groups == 1)
    ]


def merge_adapters(model: keras.Model) -> None:
    """Merge the adapters of a model into its kernels; its outputs stay the same."""
    for layer in flatten_layers(model):
        if getattr(layer, "lora_enabled", False):
            layer._kernel.assign(layer.kernel)  # `kernel` includes the product of the adapters
            layer.lora_kernel_b.assign(keras.ops.zeros_like(layer.lora_kernel_b))
