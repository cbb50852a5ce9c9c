"""Freeze and unfreeze the blocks of a backbone by depth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.models.backbone_families import UNUSED
from kerasft.models.blocks import find_blocks, flatten_layers
from kerasft.models.keras_attributes import pop_trained_drop_rate, set_trained_drop_rate

# Names of the drop rate in Dropout and in layers for stochastic depth.
_DROP_RATES = ("rate", "drop_prob", "drop_path_rate")


def freeze(
    backbone: keras.Model, trainable_blocks: int | Config, *, freeze_batch_norm: bool = False
) -> None:
    """Freeze a backbone by depth; call it before compiling.

    Frozen BatchNormalization runs in inference mode, with its pretrained statistics, and Dropout in
    frozen blocks is off.

    Args:
        backbone: KerasHub backbone, or model that contains one.
        trainable_blocks: Number of blocks to train, from the top (0: none, -1: all), or a config
            with this setting and, for images, `freeze_batch_norm`.
        freeze_batch_norm: Whether to freeze BatchNormalization in trained blocks too, which is
            safer with small batches and little data.

    Raises:
        SettingError: The backbone has fewer blocks than `trainable_blocks`.

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
            f"`trainable_blocks` is {trainable_blocks}, but must be at most {len(blocks)} for "
            f"{type(backbone).__name__} ({', '.join(block.name for block in blocks)}). Use -1 to "
            "train all."
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
    """Set the `trainable` flag of a layer and of all nested layers and weights.

    Keras on TensorFlow ignores a flag that a layer already has, so nested layers would keep theirs.
    """
    for inner in flatten_layers(layer):
        inner.trainable = value
        for variable in inner._trainable_variables:  # not the statistics of BatchNormalization
            variable.trainable = value


def disable_dropout(layer: keras.layers.Layer, *, frozen: bool) -> None:
    """Disable the Dropout inside a frozen layer, or restore it in a trained layer.

    Keras keeps Dropout and StochasticDepth of frozen layers active in training. This adds noise to
    frozen features and prevents caching them. Call it before compiling: a
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
    """Return the name of the drop rate of a layer, empty without one."""
    return next((name for name in _DROP_RATES if hasattr(layer, name)), "")


@contextlib.contextmanager
def frozen_below(model: keras.Model, blocks: int | None) -> Iterator[None]:
    """Freeze the lower blocks inside a `with` statement and restore their flags afterwards.

    Args:
        model: Model that contains a backbone.
        blocks: Number of top blocks to leave unchanged; None for all.
    """
    found = find_blocks(model)
    lower = () if blocks is None else found[: len(found) - blocks]
    layers = [inner for block in lower for x in block.layers for inner in flatten_layers(x)]
    before = [layer.trainable for layer in layers]
    # Save the flags of weights too, because the flag of their layer overwrites them.
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

    All weights except those of frozen layers, which can be loaded again from the preset.
    """
    frozen = {
        id(variable)
        for layer in flatten_layers(model)
        if not layer.trainable
        for variable in layer.weights
    }
    return [variable for variable in model.weights if id(variable) not in frozen]
