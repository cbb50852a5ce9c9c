"""Freezing by depth: which blocks are trained, and which keep their pretrained weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.models.annotations import pop_trained_drop_rate, set_trained_drop_rate
from kerasft.models.blocks import find_blocks, flatten_layers
from kerasft.models.families import UNUSED

# Names of the drop rate: of Dropout, and of layers that drop residual paths.
_DROP_RATES = ("rate", "drop_prob", "drop_path_rate")


def freeze(
    backbone: keras.Model, trainable_blocks: int | Config, *, freeze_batch_norm: bool = False
) -> None:
    """Freeze a backbone by depth; call it before compiling.

    Frozen BatchNormalization runs in inference mode, with its pretrained statistics, and Dropout in
    frozen blocks is off.

    Args:
        backbone: A KerasHub backbone, or a model with one inside.
        trainable_blocks: 0 trains nothing of it, n the last n blocks, -1 all; or a config with
            this setting and, for images, `freeze_batch_norm`.
        freeze_batch_norm: Keeps BatchNormalization frozen in trained blocks too, which is
            safer with small batches and little data.

    Raises:
        SettingError: There are fewer blocks than asked for.

    Example:
        >>> backbone = load_backbone("package:kerasft/assets/resnet_glyphs")
        >>> freeze(backbone, 1)
        >>> [block.trained_parameters > 0 for block in find_blocks(backbone)]
        [False, False, True]
    """
    if isinstance(trainable_blocks, Config):
        freeze_batch_norm = getattr(trainable_blocks, "freeze_batch_norm", False)
        trainable_blocks = trainable_blocks.trainable_blocks
    blocks = find_blocks(backbone)
    if not -1 <= trainable_blocks <= len(blocks):
        raise SettingError(
            f"`trainable_blocks` must be at most {len(blocks)} for {type(backbone).__name__} "
            f"({', '.join(block.name for block in blocks)}). "
            f"Received: trainable_blocks={trainable_blocks}. Use -1 to train all."
        )
    first = 0 if trainable_blocks == -1 else len(blocks) - trainable_blocks
    set_trainable(backbone, True)  # a frozen parent would hide the flags of its layers
    for index, block in enumerate(blocks):
        for layer in block.layers:
            set_trainable(layer, index >= first)
            disable_dropout(layer, frozen=index < first)
            for variable in layer.weights:
                if variable.name in UNUSED:
                    variable.trainable = False
            if freeze_batch_norm:
                for inner in flatten_layers(layer):
                    if isinstance(inner, keras.layers.BatchNormalization):
                        inner.trainable = False


def set_trainable(layer: keras.layers.Layer, value: bool) -> None:
    """Set the flag of a layer, and of all layers and weights inside it.

    Keras on TensorFlow ignores a flag that a layer already has: inner layers would keep theirs.
    """
    for inner in flatten_layers(layer):
        inner.trainable = value
        for variable in inner._trainable_variables:  # not the statistics of BatchNormalization
            variable.trainable = value


def disable_dropout(layer: keras.layers.Layer, *, frozen: bool) -> None:
    """Switch off the Dropout inside a frozen layer; switch it on again once it is trained.

    Keras leaves Dropout and StochasticDepth of frozen layers on in training: noise on features
    that nothing can adapt to, which also rules out caching them. Call it before compiling: a
    traced graph keeps the old rates.
    """
    for inner in flatten_layers(layer):
        name = drop_rate_name(inner)
        rate = getattr(inner, name, None)
        if frozen and isinstance(rate, float) and rate:
            set_trained_drop_rate(inner, rate)
            setattr(inner, name, 0.0)
        elif not frozen and (trained := pop_trained_drop_rate(inner)) is not None:
            setattr(inner, name, trained)


def drop_rate_name(layer: keras.layers.Layer) -> str:
    """Return the name of a layer's drop rate, empty where it drops nothing."""
    return next((name for name in _DROP_RATES if hasattr(layer, name)), "")


@contextlib.contextmanager
def frozen_below(model: keras.Model, blocks: int | None) -> Iterator[None]:
    """Freeze more of the backbone inside a `with` block and restore its freezing afterwards.

    Args:
        model: A model with a backbone inside.
        blocks: Number of top blocks that are left as they are; None for all.
    """
    found = find_blocks(model)
    lower = () if blocks is None else found[: len(found) - blocks]
    layers = [inner for block in lower for x in block.layers for inner in flatten_layers(x)]
    before = [layer.trainable for layer in layers]
    # Flags of single weights too: the flag of their layer would overwrite them.
    flags = [(v, v.trainable) for layer in layers for v in layer.weights]
    try:
        for layer in layers:
            layer.trainable = False
            disable_dropout(layer, frozen=True)
        yield
    finally:
        # Parents come before their children, whose flags they would overwrite.
        for layer, flag in zip(layers, before, strict=True):
            if layer.trainable != flag:
                layer.trainable = flag
                disable_dropout(layer, frozen=False)
        for variable, flag in flags:
            if variable.trainable != flag:
                variable.trainable = flag


def changing_weights(model: keras.Model) -> list[Any]:
    """Return the weights that training may change, statistics of BatchNormalization included.

    All but the weights of frozen layers: those that must be saved of a fine-tuned model whose
    preset can be loaded again.
    """
    frozen = {
        id(variable)
        for layer in flatten_layers(model)
        if not layer.trainable
        for variable in layer.weights
    }
    return [variable for variable in model.weights if id(variable) not in frozen]
