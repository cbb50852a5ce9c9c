"""Blocks of a backbone by depth, with one meaning of `trainable_blocks` for every family.

A backbone is split at the outputs of its blocks: stacks of residual blocks, pyramid levels,
transformer layers. A block consists of the layers that its output depends on and that no lower
block contains, so blocks partition the layers and never split a residual block. The stem or the
embeddings belong to the lowest block, a final norm or pooler to the top one.

`families` finds the block outputs of each family; this module does not depend on the family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.backbone_families import block_outputs, functional_graph
from kerasft.models.keras_attributes import annotate_trunk, get_blocks, get_source


@dataclass(frozen=True)
class Block:
    """Layers of a backbone that are frozen or trained together.

    Attributes:
        name: Name such as `P2` or `transformer_layer_0`.
        layers: Layers in the order of the graph.
    """

    name: str
    layers: tuple[keras.layers.Layer, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(layer.count_params() for layer in self.layers)

    @property
    def trained_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(_size(v) for layer in self.layers for v in layer.trainable_variables)


def _size(variable: Any) -> int:
    size = 1
    for dimension in variable.shape:
        size *= int(dimension)
    return size


def find_blocks(model: keras.Model) -> tuple[Block, ...]:
    """Return the blocks of a backbone, or of the backbone inside a model, lowest first.

    Args:
        model: KerasHub backbone, or model built with `image_features` or `text_features`.

    Raises:
        SettingError: The backbone was not found, or its blocks are unknown.
    """
    for part in (model, *model.layers):
        if blocks := get_blocks(part):
            return blocks
    return _split(functional_graph(model), block_outputs(model))


def _split(backbone: keras.Model, outputs: dict[str, Any]) -> tuple[Block, ...]:
    taken: set[int] = set()
    blocks = []
    for name, output in outputs.items():
        needed = keras.Model(backbone.inputs, output).layers
        blocks.append((name, [layer for layer in needed if id(layer) not in taken]))
        taken |= {id(layer) for layer in needed}
    blocks[-1][1].extend(layer for layer in backbone.layers if id(layer) not in taken)
    return tuple(Block(name, tuple(layers)) for name, layers in blocks)


def trunk(backbone: keras.Model, output: Any) -> keras.Model:
    """Return the part of a backbone that computes `output`, with its blocks attached.

    Layers that the output does not depend on (BERT's pooler under mean pooling) are left out: they
    would count as trained but never get a gradient.

    Args:
        backbone: Backbone from `load_backbone`.
        output: Output tensor in `families.functional_graph`.
    """
    part = keras.Model(functional_graph(backbone).input, output, name="backbone")
    needed = {id(layer) for layer in part.layers}
    blocks = tuple(
        Block(block.name, tuple(layer for layer in block.layers if id(layer) in needed))
        for block in find_blocks(backbone)
    )
    annotate_trunk(part, blocks, backbone)
    return part


def find_backbone(model: keras.Model) -> keras.Model:
    """Return the KerasHub backbone that a model was built on, sharing its weights.

    Args:
        model: Model built with `image_features` or `text_features`.

    Raises:
        SettingError: The model has no backbone.
    """
    for layer in model.layers:
        if get_blocks(layer):
            return get_source(layer)
    raise SettingError(
        "The model has no backbone. Expected a model built with `image_features` or "
        "`text_features`."
    )


def flatten_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return a layer and all nested layers."""
    # Keras has no public method for nested layers outside a Model; KerasHub uses this one.
    return list(layer._flatten_layers(include_self=True, recursive=True))


def block_table(model: keras.Model) -> str:
    """Return a printable table of the blocks, top first: parameters and trained parameters."""
    head = _head_counts(model)  # zero for a backbone without a head
    rows = [("head", *head)] if head[0] else []
    rows += [
        (block.name, block.parameters, block.trained_parameters)
        for block in reversed(find_blocks(model))
    ]
    total = ("total", sum(row[1] for row in rows), sum(row[2] for row in rows))
    return format_blocks([*rows, total])


def block_rows(model: keras.Model) -> list[dict[str, Any]]:
    """Return the block table as records for the manifest, lowest block first, head last."""
    rows = [
        {"name": b.name, "parameters": b.parameters, "trained_parameters": b.trained_parameters}
        for b in find_blocks(model)
    ]
    parameters, trained = _head_counts(model)
    return [*rows, {"name": "head", "parameters": parameters, "trained_parameters": trained}]


def format_blocks(rows: Sequence[tuple[str, int, int]]) -> str:
    """Format rows of (name, parameters, trained parameters) as a table."""
    width = max(len("block"), *(len(row[0]) for row in rows))
    lines = [f"{'block':<{width}}  {'parameters':>12}  {'trained':>12}"]
    for name, parameters, trained in rows:
        shown = f"{trained:,}" if trained else "frozen"
        lines.append(f"{name:<{width}}  {parameters:>12,}  {shown:>12}")
    return "\n".join(lines)


def _head_counts(model: keras.Model) -> tuple[int, int]:
    """Return the numbers of all and of trained parameters outside the blocks."""
    inside = {id(v) for b in find_blocks(model) for layer in b.layers for v in layer.weights}
    outside = [v for v in model.weights if id(v) not in inside]
    trained = {id(v) for v in model.trainable_variables}
    counted = [v for v in outside if "seed_generator" not in v.path]
    return sum(map(_size, counted)), sum(_size(v) for v in counted if id(v) in trained)
