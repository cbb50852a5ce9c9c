"""One trace for all blocks of a backbone that have the same structure.

A backbone repeats its blocks, and TensorFlow traces and optimizes the operations of each: most of
the time before the first step. Here the blocks call one function, which has their weights among
its arguments and is not inlined.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from kerasft.models.blocks import flatten_layers
from kerasft.models.fast_layers import regions
from kerasft.models.layer_config import layer_config

_LEAST_LAYERS = 4  # of a block, itself included; a smaller one is traced in a moment

_open: ContextVar[bool] = ContextVar("shared_traces", default=False)


@contextmanager
def shared_traces() -> Iterator[None]:
    """Let blocks of `share_traces` share a trace in graphs that are traced in the body.

    They do on TensorFlow without GPUs.

    Example:
        >>> with shared_traces():
        ...     model.predict(x)
    """
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def share_traces(model: keras.Model, *, least_blocks: int = 3) -> None:
    """Let the repeated blocks of a loaded backbone share a trace, on TensorFlow.

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
            functions: dict[str, _Shared | None] = {}
            for block in blocks:
                block.call = partial(_call, functions, block, block.call)


def _repeated_blocks(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the outermost layers of KerasHub of which there are several of one class."""
    # Configurations of KerasHub's layers say everything; those of users' own layers may not.
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


@dataclass(frozen=True)
class _Shared:
    """The function of blocks of one structure, and the positions of variables that it assigns."""

    function: Any
    assigned: list[int]


def _call(
    functions: dict[str, _Shared | None],
    block: Any,
    call: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Compute `call` of a block by the function of all blocks of its structure."""
    if not shares_traces() or _has_mask([args, kwargs]):
        return call(*args, **kwargs)
    import tensorflow as tf

    key = _structure(block)
    if key not in functions:
        functions[key] = _share(block, call)
    shared, variables = functions[key], block.variables
    if shared is None:
        return call(*args, **kwargs)
    # The values that are stored: a layer computes with copies in its own number format.
    values = [tf.convert_to_tensor(variable._value) for variable in variables]
    traced = shared.function.get_concrete_function(values, args, kwargs)
    if any(each.dtype == tf.resource for each in traced.captured_inputs):
        functions[key] = None  # it reads a variable that is not among its own
        return call(*args, **kwargs)
    outputs, assigned, losses = shared.function(values, args, kwargs)
    for position, value in zip(shared.assigned, assigned, strict=True):
        variables[position].assign(value)
    for loss in losses:
        block.add_loss(loss)
    return outputs


def shares_traces() -> bool:
    """Return whether blocks share a trace in the graph that is traced now."""
    if not _open.get() or keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    if tf.executing_eagerly() or tf.distribute.has_strategy():
        return False
    return not tf.config.list_physical_devices("GPU")  # not measured there


def _has_mask(arguments: Any) -> bool:
    """Return whether Keras has attached a mask to one of the tensors, which a function loses."""
    tensors = keras.tree.flatten(arguments)
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors)


def _share(block: Any, call: Callable[..., Any]) -> _Shared:
    """Return a block as a function of the values of its variables."""
    import tensorflow as tf

    assigned: list[int] = []

    def run(values: list[Any], args: Any, kwargs: Any) -> tuple[Any, list[Any], list[Any]]:
        variables = block.variables
        pairs = list(zip(variables, values, strict=True))
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            outputs = call(*args, **kwargs)
        after = [scope.get_current_value(variable) for variable in variables]
        assigned[:] = [n for n, value in enumerate(after) if value is not values[n]]
        return outputs, [after[n] for n in assigned], list(scope.losses)

    traced = tf.function(run, autograph=False, experimental_attributes={"_noinline": True})
    return _Shared(traced, assigned)


def _structure(block: Any) -> str:
    """Return all that the operations of a block depend on, but its arguments and values."""
    layers = [
        (
            type(layer).__qualname__, layer_config(layer), layer.dtype_policy.name,
            layer.trainable, getattr(vars(layer).get("call"), "__qualname__", ""),
        )
        for layer in flatten_layers(block)
    ]  # fmt: skip
    variables = [(each.shape, each.dtype, each.trainable) for each in block.variables]
    facts = [layers, variables, regions.in_region()]
    return json.dumps(facts, sort_keys=True, default=repr)
