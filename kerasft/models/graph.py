"""The graph of a Functional model: its nodes in order, flattening, and replaying."""

from __future__ import annotations

from typing import Any

import keras


def is_functional(operation: Any) -> bool:
    """Return whether an operation is a Functional model."""
    return isinstance(operation, keras.Model) and hasattr(operation, "_nodes_by_depth")


def nodes(model: Any) -> list[Any]:
    """Return the nodes (layer calls) of a graph, from the inputs to the outputs."""
    # Keras has no public list of nodes; `operations` has each shared layer only once.
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [n for depth in depths for n in model._nodes_by_depth[depth] if not n.is_input]


def flat(model: keras.Model) -> keras.Model:
    """Return the same model with the layers of nested models in its own graph."""
    if not any(is_functional(node.operation) for node in nodes(model)):
        return model
    return keras.Model(model.inputs, replay(model, model.inputs))


def replay(model: keras.Model, inputs: list[Any]) -> Any:
    """Call the layers of a model, nested ones included, on other inputs.

    Args:
        model: Functional model.
        inputs: Tensors that replace `model.inputs`, in the same order.

    Returns:
        Output tensors, in the structure of `model.output`.
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
