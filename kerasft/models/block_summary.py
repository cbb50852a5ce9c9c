"""Summary of the blocks of a backbone: layers, parameters, shapes, share of the compute."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.models.backbone_families import block_outputs, functional_graph
from kerasft.models.blocks import find_blocks
from kerasft.models.compute_cost import work_of
from kerasft.models.graph import replay


def describe_blocks(backbone: keras.Model, image_size: int | None = None) -> list[dict[str, Any]]:
    """Describe the blocks of a backbone, lowest first.

    Args:
        backbone: Backbone from `load_backbone`.
        image_size: Image size in pixels, for the shapes and work of an image backbone. By default
            its fixed input size, or 224.

    Returns:
        A dict per block: `block` (name), `layers` (count), `parameters` (count), `output` (shape
        without batch axis; None is the number of tokens), and `work`: the fraction of the
        multiplications of a forward pass in this block, counting kernels only.

    Raises:
        SettingError: The blocks of the backbone cannot be found.

    Example:
        >>> backbone = kerasft.load_backbone("package:kerasft/assets/resnet_glyphs")
        >>> [row["block"] for row in describe_blocks(backbone)]
        ['P2', 'P3', 'P4']
    """
    graph, blocks = functional_graph(backbone), find_blocks(backbone)
    ends = list(block_outputs(backbone).values())
    inputs = [_concrete(tensor, image_size) for tensor in graph.inputs]
    made = replay(keras.Model(graph.inputs, [*ends, *keras.tree.flatten(graph.output)]), inputs)
    # Layers after the last block (a final norm) count as part of it.
    reached = [work_of(keras.Model(inputs, output)) for output in made[: len(ends)]]
    reached[-1] = work_of(keras.Model(inputs, made[len(ends) :]))
    whole = max(reached[-1], 1.0)
    return [
        {
            "block": block.name,
            "layers": len(block.layers),
            "parameters": block.parameters,
            "output": list(output.shape[1:]),
            "work": (now - before) / whole,
        }
        for block, output, now, before in zip(
            blocks, made[: len(ends)], reached, [0.0, *reached], strict=False
        )
    ]


def _concrete(tensor: Any, image_size: int | None) -> Any:
    shape = list(tensor.shape[1:])
    if len(shape) == 3:
        shape = [size or image_size or 224 for size in shape[:2]] + shape[2:]
    return keras.Input(shape, dtype=tensor.dtype, name=tensor.name)
