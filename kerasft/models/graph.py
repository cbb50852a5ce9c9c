"""The graph of a Functional model: its calls in order, and the same calls made again."""

from __future__ import annotations

from typing import Any

import keras


def is_functional(operation: Any) -> bool:
    """Return whether something is a Functional model."""
    return isinstance(operation, keras.Model) and hasattr(operation, "_nodes_by_depth")


def nodes(model: Any) -> list[Any]:
    """Return the calls of a graph, from the inputs to the outputs."""
    # Keras has no public order of calls; `operations` has each shared layer once only.
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [n for depth in depths for n in model._nodes_by_depth[depth] if not n.is_input]


def flat(model: keras.Model) -> keras.Model:
    """Return the same model without nested models: their layers stand in its own graph."""
    if not any(is_functional(node.operation) for node in nodes(model)):
        return model
    return keras.Model(model.inputs, replay(model, model.inputs))


def replay(model: keras.Model, inputs: list[Any]) -> Any:
    """Call the layers of a model again, those of nested models too.

    Args:
        model: A Functional model.
        inputs: Other tensors for `model.inputs`.

    Returns:
        Outputs, in the structure of the model's.
    """
    values = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
    for node in nodes(model):
        args, kwargs = node.arguments.fill_in(values)
        if is_functional(node.operation):
            outputs = replay(node.operation, keras.tree.flatten(args[0]))
        else:
            outputs = node.operation(*args, **kwargs)
        for old, new in zip(node.outputs, keras.tree.flatten(outputs), strict=True):
            values[id(old)] = new
    return keras.tree.map_structure(lambda tensor: values[id(tensor)], model.output)
