"""One trace for all blocks of a backbone that have the same structure.

A backbone repeats its blocks, and TensorFlow traces and optimizes the operations of each: most of
the time before the first step. Here the blocks call one function, which has their weights among
its arguments and is not inlined.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from kerasft.models.blocks import flatten_layers
from kerasft.models.fast_layers import regions
from kerasft.models.fast_layers.own_graphs import in_own_graph
from kerasft.models.layer_config import layer_config

_LEAST_LAYERS = 4  # of a block, itself included; sharing smaller ones saves little


def share_traces(model: keras.Model, *, least_blocks: int = 3) -> None:
    """Let repeated blocks of a loaded backbone share a trace in `own_graphs`, on TensorFlow.

    Blocks are the outermost layers of KerasHub of which there are several. Those with a
    BatchNormalization are left alone: convolutional networks repeat few of one structure.

    Args:
        model: Model whose layers are changed in place.
        least_blocks: Least number of blocks of one structure. A shared trace, which has a gradient
            of its own, takes as long as two others.
    """
    groups = defaultdict(list)
    for block in _repeated_blocks(model):
        groups[_structure(block)].append(block)
    for blocks in groups.values():
        if len(blocks) >= least_blocks:
            functions: defaultdict[Any, _Shared] = defaultdict(_Shared)
            for block in blocks:
                block.call = partial(_call, functions, block, block.call)


def _repeated_blocks(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the outermost layers of KerasHub of which there are several of one class."""
    # Configurations of KerasHub's layers are complete; those of users' own layers may not be.
    nested = {
        id(layer): flatten_layers(layer)
        for layer in flatten_layers(model)
        if type(layer).__module__.startswith("keras_hub.") and not isinstance(layer, keras.Model)
    }
    large = [layers[0] for layers in nested.values() if len(layers) >= _LEAST_LAYERS]
    number = Counter(map(type, large))
    blocks = [layer for layer in large if number[type(layer)] > 1]
    inner = {id(part) for block in blocks for part in nested[id(block)][1:]}
    return [block for block in blocks if id(block) not in inner and not _has_batch_norm(block)]


def _has_batch_norm(block: keras.layers.Layer) -> bool:
    kind = keras.layers.BatchNormalization
    return any(isinstance(layer, kind) for layer in flatten_layers(block))


class _Shared:
    """The function of blocks of one structure.

    Attributes:
        caller: The block that calls it, and its own `call`: what is traced, whenever that happens.
        function: The function, of the values of all variables and the arguments.
        refused: Whether its blocks cannot share it.
    """

    def __init__(self) -> None:
        import tensorflow as tf

        self.caller: tuple[Any, Callable[..., Any]] | None = None
        self.refused = False
        self.function = tf.function(
            self._run, autograph=False, experimental_attributes={"_noinline": True}
        )

    def _run(
        self, values: list[Any], args: Any, kwargs: Any
    ) -> tuple[Any, dict[str, Any], list[Any]]:
        """Return the outputs, what is assigned to variables by their position, and losses."""
        assert self.caller is not None
        block, call = self.caller
        pairs = list(zip(block.variables, values, strict=True))
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            outputs = call(*args, **kwargs)
        after = [scope.get_current_value(variable) for variable, _ in pairs]
        assigned = {str(n): new for n, new in enumerate(after) if new is not values[n]}
        return outputs, assigned, list(scope.losses)


def _call(
    functions: defaultdict[Any, _Shared],
    block: Any,
    call: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Compute `call` of a block by the function of all blocks of its structure."""
    if not in_own_graph() or _has_mask([args, kwargs]):
        return call(*args, **kwargs)
    import tensorflow as tf

    shared = functions[_structure(block), *_mode()]
    if shared.refused:
        return call(*args, **kwargs)
    shared.caller, variables = (block, call), block.variables
    # Stored values: those in the number format of the computation are copies.
    values = [tf.convert_to_tensor(variable._value) for variable in variables]
    traced = shared.function.get_concrete_function(values, args, kwargs)
    if any(map(_belongs_to_a_block, traced.captured_inputs)):
        shared.refused = True
        return call(*args, **kwargs)
    outputs, assigned, losses = shared.function(values, args, kwargs)
    for position, value in assigned.items():
        variables[int(position)].assign(value)
    for loss in losses:
        block.add_loss(loss)
    return outputs


def _belongs_to_a_block(captured: Any) -> bool:
    """Return whether a traced function reads a variable, or a tensor of another graph."""
    import tensorflow as tf

    return captured.dtype == tf.resource or tf.is_symbolic_tensor(captured)


def _has_mask(arguments: Any) -> bool:
    """Return whether Keras has attached a mask to one of the tensors, which a function loses."""
    tensors = keras.tree.flatten(arguments)
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors)


def _structure(block: Any) -> str:
    """Return what the operations of a block depend on, in any graph."""
    layers = [
        (
            type(layer).__qualname__, layer_config(layer), layer.dtype_policy.name,
            layer.trainable, getattr(vars(layer).get("call"), "__qualname__", ""),
        )
        for layer in flatten_layers(block)
    ]  # fmt: skip
    variables = [(each.shape, each.dtype, each.trainable) for each in block.variables]
    return json.dumps([layers, variables], sort_keys=True, default=repr)


def _mode() -> tuple[Any, bool]:
    """Return what the operations of a block depend on in the graph that is traced now.

    Whether it is for training need not be an argument of a block: Keras hands it to inner layers.
    """
    from keras.src.backend.common.global_state import get_global_attribute

    context = get_global_attribute("current_call_ctx")
    training = None if context is None else context.get_value("training")
    return training, regions.in_region()
