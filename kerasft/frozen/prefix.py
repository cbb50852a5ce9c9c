"""The frozen prefix of a model, whose outputs need be computed only once.

It is found in the graph of any Functional model, nested backbones included. The prefix is all
calls of frozen, deterministic layers that depend on no other call. The tensors between it and the
other calls are the boundary. The rest is the tail, a Keras model that shares the layers of the
whole.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.models.augmentation import is_augmentation
from kerasft.models.backbone_families import SAME_FOR_ALL
from kerasft.models.blocks import flatten_layers
from kerasft.models.compute_cost import Product, products_of
from kerasft.models.fast_layers import own_graphs
from kerasft.models.freezing import drop_rate_name
from kerasft.models.graph import flat, is_functional, nodes
from kerasft.models.keras_attributes import has_mark
from kerasft.models.layer_config import layer_config

_UPDATED = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)


@dataclass(frozen=True)
class Part:
    """A piece of a model's graph as a model of its own.

    Attributes:
        model: It takes a dict by the names below.
        inputs: Inputs of the whole model that it reads: their names in the part and the whole.
        features: Cached tensors that it reads, by their names in the part.
        work: Multiplications of a forward pass of one example, or of one token where the length
            varies.
    """

    model: keras.Model
    inputs: dict[str, str]
    features: dict[str, Any]
    work: float

    @functools.cached_property
    def function(self) -> Any:
        """The `tf.function` from a dict of inputs to the list of outputs, a trace per signature."""
        import tensorflow as tf

        def outputs(x: Any) -> list[Any]:
            with own_graphs():
                return list(keras.tree.flatten(self.model(x, training=False)))

        return tf.function(outputs, autograph=False)


class FrozenPrefix:
    """The frozen prefix of a model and the tail above it, by its present freezing.

    Args:
        model: Any Keras model; one that is not Functional has no frozen prefix.

    Attributes:
        boundary: Tensors between prefix and tail, which can be cached.
        tail: Part from the boundary, and inputs that it reads, to the outputs of the model. It
            shares the model's weights. Not set where `reason` is not empty.
        work: Multiplications of the whole model, in the unit of `Part.work`.
        products: Matrix products of the whole model; empty where it is not Functional.
        reason: Why nothing can be cached, empty where something can.
    """

    def __init__(self, model: keras.Model) -> None:
        self.boundary: list[Any] = []
        self.tail: Part
        self.work, self.reason = 0.0, "the model is not Functional"
        self.products: list[Product] = []
        if not is_functional(model):
            return
        whole = flat(model)
        self._nodes = nodes(whole)
        self._made_by = {id(tensor): node for node in self._nodes for tensor in node.outputs}
        self._inputs = dict(zip(map(id, whole.inputs), _input_names(model), strict=True))
        self._prefix_nodes: list[Any] = []
        self.products = products_of(self._nodes)
        self.work = sum(product.work for product in self.products)
        self.reason = "every layer is trained"
        prefix = self._find_prefix()
        boundary = {
            id(tensor): tensor
            for node in self._nodes
            if not all(id(output) in prefix for output in node.outputs)
            for tensor in node.input_tensors
            if id(tensor) in prefix
        }
        self.boundary = list(boundary.values())
        if self.boundary:
            self.tail, self.reason = self.part(whole.output, self.boundary), ""

    def sign(self) -> dict[int, str]:
        """Return the signatures of the tensors of the prefix, by their id.

        A signature is a hash of everything that determines the tensor's values except the
        examples: equal in two models that compute the same. Weights are hashed with their present
        values. An operation without a configuration equals itself alone.
        """
        found = dict(self._inputs)
        for node in self._prefix_nodes:
            signature = _sign_call(node, [found[id(tensor)] for tensor in node.input_tensors])
            for index, output in enumerate(node.outputs):
                found[id(output)] = f"{signature}.{index}"
        return found

    @property
    def is_portable(self) -> bool:
        """Whether `sign` returns the same signatures in another process."""
        return not any(has_mark(node.operation) for node in self._prefix_nodes)

    def part(self, outputs: Any, known: list[Any]) -> Part:
        """Return the part that computes tensors; for those of the boundary, the prefix.

        Args:
            outputs: Tensors to compute, the outputs of the part in this order.
            known: Tensors that need not be computed; those that are read become features of the
                part.
        """
        ends = {id(tensor): tensor for tensor in known}
        calls = self._below(keras.tree.flatten(outputs), ends)
        read = {id(tensor): tensor for node in calls for tensor in node.input_tensors}
        inputs = [tensor for key, tensor in read.items() if key in self._inputs]
        features = [tensor for key, tensor in read.items() if key in ends]
        model = keras.Model([*inputs, *features], outputs)
        names = [tensor.name for tensor in model.inputs]
        return Part(
            model,
            {name: self._inputs[id(t)] for name, t in zip(names, inputs, strict=False)},
            dict(zip(names[len(inputs) :], features, strict=True)),
            sum(product.work for product in products_of(calls)),
        )

    def below(self, tensors: list[Any]) -> list[Any]:
        """Return these tensors and all that they depend on, without the inputs."""
        calls = self._below(tensors, set())
        return [output for node in calls for output in node.outputs]

    def _find_prefix(self) -> set[int]:
        """Collect the calls of frozen, deterministic layers; return the outputs worth caching.

        Tensors that depend on no weights (a mask made from the inputs, scaled pixels) are not
        among them: the tail computes them again, which costs less than caching.
        """
        deterministic, cacheable = set(self._inputs), set[int]()
        for node in self._nodes:
            if not all(id(tensor) in deterministic for tensor in node.input_tensors):
                continue
            reason = _not_frozen(node.operation)
            if reason:
                if not cacheable:
                    self.reason = reason
                continue
            outputs = {id(tensor) for tensor in node.outputs}
            deterministic |= outputs
            self._prefix_nodes.append(node)
            if type(node.operation).__name__ in SAME_FOR_ALL:
                continue  # DeBERTa's position embeddings, 1.6 MB, the same for every example
            weights: Sequence[Any] = getattr(node.operation, "weights", [])
            if weights or any(id(tensor) in cacheable for tensor in node.input_tensors):
                cacheable |= outputs
        return cacheable

    def _below(self, tensors: Iterable[Any], ends: Collection[int]) -> list[Any]:
        """Return the calls that compute tensors, back to the inputs or the ends."""
        found: dict[int, Any] = {}
        waiting = list(tensors)
        while waiting:
            tensor = waiting.pop()
            node = self._made_by.get(id(tensor))
            if node is None or id(node) in found or id(tensor) in ends:
                continue
            found[id(node)] = node
            waiting.extend(node.input_tensors)
        return list(found.values())


def _sign_call(node: Any, below: list[str]) -> str:
    operation = node.operation
    config = layer_config(operation)
    config.pop("trainable", None)
    constants = [
        repr(value)
        for value in keras.tree.flatten([node.arguments.args, node.arguments.kwargs])
        if not isinstance(value, keras.KerasTensor)
    ]
    facts = [type(operation).__qualname__, config, below, constants]
    total = hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode())
    for variable in getattr(operation, "weights", ()):
        total.update(keras.ops.convert_to_numpy(variable).tobytes())
    return total.hexdigest()


def _input_names(model: keras.Model) -> list[str]:
    """Return the names of the model's inputs, in their order."""
    if isinstance(model.input, dict):
        return sorted(model.input)
    return [tensor.name for tensor in model.inputs]


def _not_frozen(operation: Any) -> str:
    """Return why the output for one input may change during training, empty where it cannot."""
    if not isinstance(operation, keras.layers.Layer):
        return ""
    if operation.trainable_variables:
        return f"`{operation.name}`, the lowest layer with weights, is trained"
    for layer in flatten_layers(operation):
        if isinstance(layer, _UPDATED) and layer.trainable:
            return f"`{layer.name}` updates its statistics"
        draws = any(isinstance(v, keras.random.SeedGenerator) for v in vars(layer).values())
        if draws and getattr(layer, drop_rate_name(layer), 1) != 0:
            what = "augmentation" if is_augmentation(layer) else f"`{layer.name}`"
            return f"{what} changes its inputs at random"
    return ""
