"""Low-rank adapters: a block is tuned by small matrices beside its kernels (LoRA).

Hu et al. 2021, arXiv 2106.09685. The adapters are Keras' own (`enable_lora`); here stands which
layers get them, and that nothing else of the block is trained.
"""

from __future__ import annotations

import math
import re
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.blocks import find_blocks, flatten_layers

# The projections of attention that gain most (Hu et al., section 7.1), by the names that
# KerasHub's families give them, as layers or as attributes of the layer around them.
_PROJECTIONS = re.compile(r"query|value|qkv|(^|_)[qv](_|$)")
_DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)


def add_adapters(model: keras.Model, rank: int) -> None:
    """Give the trained blocks of a model adapters, and freezes the rest of these blocks.

    Queries and values of attention get them where a block has attention, else every dense layer
    and every convolution that is not depthwise. Call it after `freeze` and before compiling.
    Dropout of the blocks stays on.

    Args:
        model: A backbone, or a model with one inside.
        rank: Of the matrices, at least 1. 4 to 16 are usual.

    Raises:
        SettingError: No block is trained, no layer of them can have adapters, or the rank is
            larger than that of the kernels themselves.

    Example:
        >>> add_adapters(part, 8)
    """
    trained = [block for block in find_blocks(model) if block.trained_parameters]
    if not trained:
        raise SettingError("`lora_rank` needs trained blocks: give `trainable_blocks`.")
    layers = [[x for top in block.layers for x in flatten_layers(top)] for block in trained]
    _check_rank(rank, [layer for inner in layers for layer in _targets(inner)])
    for inner in layers:
        targets = _targets(inner)
        for layer in targets:
            layer.enable_lora(rank)
        for layer in inner:
            alone = len(flatten_layers(layer)) == 1 and layer.weights
            if alone and layer not in targets:
                layer.trainable = False  # statistics of BatchNormalization stand still too
            for variable in layer.weights:
                variable.trainable = "lora_" in variable.name


def _check_rank(rank: int, targets: list[Any]) -> None:
    """Raise a SettingError where there is no target, or none of so high a rank."""
    if not targets:
        raise SettingError("`lora_rank`: no layer of the trained blocks can have adapters.")
    shapes = [layer.kernel.shape for layer in targets]
    largest = max(min(math.prod(shape[:-1]), shape[-1]) for shape in shapes)
    if rank > largest:
        raise SettingError(
            f"`lora_rank` must be at most {largest} for this backbone, whose kernels have no "
            f"larger rank themselves. Received: {rank}."
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
    """Add the adapters of a model to its kernels; what it computes stays the same."""
    for layer in flatten_layers(model):
        if getattr(layer, "lora_enabled", False):
            layer._kernel.assign(layer.kernel)  # with the product of the adapters
            layer.lora_kernel_b.assign(keras.ops.zeros_like(layer.lora_kernel_b))
