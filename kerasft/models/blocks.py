"""Blocks by depth: one meaning of `trainable_blocks` for every backbone.

A backbone is cut at the outputs of its blocks: stacks of residual blocks, pyramid levels,
transformer layers. A block is every layer that its output needs and no lower block has, so the
blocks share out the layers exactly and a residual block is never split. The stem or the
embeddings belong to the lowest block, a final norm or pooler to the top one.

Where a family has its depth is told by `families`; nothing here knows any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.families import UNUSED, block_outputs, opened

# How layers name the share of what they drop: Dropout, and layers of residual paths.
_SHARES = ("rate", "drop_prob", "drop_path_rate")


@dataclass(frozen=True)
class Block:
    """Layers of a backbone that are frozen or trained together.

    Attributes:
        name: `P2`, `transformer_layer_0`, ...
        layers: The layers, in the order of the graph.
    """

    name: str
    layers: tuple[keras.layers.Layer, ...]

    @property
    def parameters(self) -> int:
        """Number of weights' elements."""
        return sum(layer.count_params() for layer in self.layers)

    @property
    def trained_parameters(self) -> int:
        """Number of elements that training changes by gradient."""
        return sum(_size(v) for layer in self.layers for v in layer.trainable_variables)


def _size(variable: Any) -> int:
    size = 1
    for dimension in variable.shape:
        size *= int(dimension)
    return size


def find_blocks(model: keras.Model) -> tuple[Block, ...]:
    """Returns the blocks of a backbone, or of the backbone inside a model, the lowest first.

    Args:
        model: A KerasHub backbone, or a model that was built with `image_features` or
            `text_features`.

    Raises:
        SettingError: No backbone is found, or its blocks are not known.
    """
    known = getattr(model, "depth_blocks", None)
    if known:
        return tuple(known)
    for layer in model.layers:
        if getattr(layer, "depth_blocks", None):
            return tuple(layer.depth_blocks)
    return _cut(opened(model), block_outputs(model))


def _cut(backbone: keras.Model, outputs: dict[str, Any]) -> tuple[Block, ...]:
    taken: set[int] = set()
    blocks = []
    for name, output in outputs.items():
        needed = keras.Model(backbone.inputs, output).layers
        blocks.append((name, [layer for layer in needed if id(layer) not in taken]))
        taken |= {id(layer) for layer in needed}
    blocks[-1][1].extend(layer for layer in backbone.layers if id(layer) not in taken)
    return tuple(Block(name, tuple(layers)) for name, layers in blocks)


def body(backbone: keras.Model, output: Any) -> keras.Model:
    """Returns the part of a backbone that computes `output`, with its blocks attached.

    What the output does not need (BERT's pooler under mean pooling) is left out: it would count
    as trained without ever getting a gradient.

    Args:
        backbone: As `load_backbone` gives it.
        output: A tensor of `families.opened`.
    """
    part = keras.Model(opened(backbone).input, output, name="backbone")
    needed = {id(layer) for layer in part.layers}
    part.depth_blocks = tuple(
        Block(block.name, tuple(layer for layer in block.layers if id(layer) in needed))
        for block in find_blocks(backbone)
    )
    # Past Keras' tracking: as a tracked attribute its unused layers would count as the part's.
    object.__setattr__(part, "source", backbone)
    return part


def find_backbone(model: keras.Model) -> keras.Model:
    """Returns the KerasHub backbone that a model was built on, sharing its weights.

    Args:
        model: A model that was built with `image_features` or `text_features`.
    """
    for layer in model.layers:
        if getattr(layer, "depth_blocks", None):
            return layer.source
    raise SettingError(
        "The model has no backbone that `image_features` or `text_features` took in."
    )


def freeze(
    backbone: keras.Model, trainable_blocks: int, *, freeze_batch_norm: bool = False
) -> None:
    """Freezes a backbone by depth; call it before compiling.

    Frozen BatchNormalization runs in inference mode, with its pretrained statistics, and Dropout in
    frozen blocks is off.

    Args:
        backbone: A KerasHub backbone, or a model with one inside.
        trainable_blocks: 0 trains nothing of it, n the last n blocks, -1 all.
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
            hold_still(layer, index < first)
            for variable in layer.weights:
                if variable.name in UNUSED:
                    variable.trainable = False
            if freeze_batch_norm:
                for inner in flatten_layers(layer):
                    if isinstance(inner, keras.layers.BatchNormalization):
                        inner.trainable = False


def set_trainable(layer: keras.layers.Layer, value: bool) -> None:
    """Sets the flag of a layer, and of all layers and weights inside it.

    Keras on TensorFlow ignores a flag that a layer has already: what is inside would keep its own.
    """
    for inner in flatten_layers(layer):
        inner.trainable = value
        for variable in inner._trainable_variables:  # not the statistics of BatchNormalization
            variable.trainable = value


def hold_still(layer: keras.layers.Layer, still: bool) -> None:
    """Switches the Dropout inside a layer off while it is frozen, or on again.

    Keras leaves Dropout and StochasticDepth of frozen layers on in training: noise on features
    that nothing can adapt to, and that must be computed anew in every epoch. Switch before
    compiling: a traced graph goes on as it was.
    """
    for inner in flatten_layers(layer):
        name = share_name(inner)
        share = getattr(inner, name, None)
        if still and isinstance(share, float) and share:
            inner.share_when_trained = share
            setattr(inner, name, 0.0)
        elif not still and hasattr(inner, "share_when_trained"):
            setattr(inner, name, inner.share_when_trained)
            del inner.share_when_trained


def share_name(layer: keras.layers.Layer) -> str:
    """Returns how a layer names the share of what it drops, empty where it drops nothing."""
    return next((name for name in _SHARES if hasattr(layer, name)), "")


def flatten_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a layer and all layers inside it (composite blocks hold their own)."""
    # Keras has no public walk over sublayers that are not in a Model; KerasHub uses this one.
    return list(layer._flatten_layers(include_self=True, recursive=True))


def block_table(model: keras.Model) -> str:
    """Returns a printable table of the blocks, the top first: parameters and what trains."""
    head = _head_counts(model)  # a backbone by itself has none
    rows = [("head", *head)] if head[0] else []
    rows += [
        (block.name, block.parameters, block.trained_parameters)
        for block in reversed(find_blocks(model))
    ]
    total = ("total", sum(row[1] for row in rows), sum(row[2] for row in rows))
    return format_blocks([*rows, total])


def block_rows(model: keras.Model) -> list[dict[str, Any]]:
    """Returns the same as records for a run's manifest, the lowest block first, the head last."""
    rows = [
        {"name": b.name, "parameters": b.parameters, "trained_parameters": b.trained_parameters}
        for b in find_blocks(model)
    ]
    parameters, trained = _head_counts(model)
    return [*rows, {"name": "head", "parameters": parameters, "trained_parameters": trained}]


def format_blocks(rows: Sequence[tuple[str, int, int]]) -> str:
    """Lays out (name, parameters, trained parameters) as a table."""
    width = max(len("block"), *(len(row[0]) for row in rows))
    lines = [f"{'block':<{width}}  {'parameters':>12}  {'trained':>12}"]
    for name, parameters, trained in rows:
        shown = f"{trained:,}" if trained else "frozen"
        lines.append(f"{name:<{width}}  {parameters:>12,}  {shown:>12}")
    return "\n".join(lines)


def _head_counts(model: keras.Model) -> tuple[int, int]:
    """Parameters of the model that are not in a block, all and trained."""
    inside = {id(v) for b in find_blocks(model) for layer in b.layers for v in layer.weights}
    outside = [v for v in model.weights if id(v) not in inside]
    trained = {id(v) for v in model.trainable_variables}
    counted = [v for v in outside if "seed_generator" not in v.path]
    return sum(map(_size, counted)), sum(_size(v) for v in counted if id(v) in trained)
