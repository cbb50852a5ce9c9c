"""Cut a model where its frozen layers end: what stands below need be computed once only.

The cut is found in the graph of any Functional model, nested backbones included: the tensors that
frozen, deterministic layers alone compute and that something else uses. Below the cut is the
prefix, above it the tail, an ordinary Keras model that shares the layers of the whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.frozen.layer_config import layer_config
from kerasft.models.blocks import flatten_layers
from kerasft.models.families import SAME_FOR_ALL
from kerasft.models.freezing import drop_rate_name
from kerasft.models.graph import flat, is_functional, nodes
from kerasft.models.work import Product, products_of

_UPDATED = (keras.layers.BatchNormalization, keras.layers.SpectralNormalization)


@dataclass(frozen=True)
class Part:
    """A piece of a model's graph as a model of its own.

    Attributes:
        model: It takes a dict by the names below.
        inputs: The inputs of the whole model that it reads: their names here and there.
        features: The kept tensors that it reads, by their names here.
        work: Multiplications forward for one example, by unit of length where that varies.
    """

    model: keras.Model
    inputs: dict[str, str]
    features: dict[str, Any]
    work: float


class FrozenPrefix:
    """A model in two parts, as it is frozen now.

    Args:
        model: Any Keras model; one that is not Functional is not cut.

    Attributes:
        boundary: The tensors between prefix and tail, which can be kept.
        tail: From the edge, and inputs where it reads any, to the outputs of the whole; its
            weights are those of the whole. There is none where `reason` tells why.
        work: Of the whole, as `Part.work`.
        products: Those of the whole; empty where the model is not Functional.
        reason: Why nothing can be kept, where nothing can.
    """

    def __init__(self, model: keras.Model) -> None:
        self.boundary: list[Any] = []
        self.tail: Part
        self.work, self.reason = 0.0, "the model is not a Functional one"
        self.products: list[Product] = []
        if not is_functional(model):
            return
        whole = flat(model)
        self._nodes = nodes(whole)
        self._made_by = {id(tensor): node for node in self._nodes for tensor in node.outputs}
        self._inputs = dict(zip(map(id, whole.inputs), _input_names(model), strict=True))
        self._still: list[Any] = []
        self.products = products_of(self._nodes)
        self.work = sum(product.work for product in self.products)
        self.reason = "every layer is trained"
        still = self._find_still()
        boundary = {
            id(tensor): tensor
            for node in self._nodes
            if not all(id(output) in still for output in node.outputs)
            for tensor in node.input_tensors
            if id(tensor) in still
        }
        self.boundary = list(boundary.values())
        if self.boundary:
            self.tail, self.reason = self.part(whole.output, self.boundary), ""

    def sign(self) -> dict[int, str]:
        """Return a signature for the id of every tensor of the edge and below it.

        It is a hash of all that decides the tensor's values but the examples: the same in two
        models that compute the same. Weights are hashed as they are now. An operation that does
        not tell its settings is the same in models that share it.
        """
        found = dict(self._inputs)
        for node in self._still:
            signature = _sign_call(node, [found[id(tensor)] for tensor in node.input_tensors])
            for index, output in enumerate(node.outputs):
                found[id(output)] = f"{signature}.{index}"
        return found

    def part(self, outputs: Any, known: list[Any]) -> Part:
        """Return what computes tensors, the prefix where they are those of the edge.

        Args:
            outputs: Tensors; the outputs of the part, in this order.
            known: Tensors below that need not be computed; those that are needed become
                features of the part.
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
        """Return these tensors and all that they are computed from, but the inputs."""
        calls = self._below(tensors, set())
        return [output for node in calls for output in node.outputs]

    def _find_still(self) -> set[int]:
        """Find the calls of frozen, deterministic layers; returns what those with weights compute.

        What needs no weights (a mask made of the inputs, the scaling of pixels) is left out: the
        tail computes it again, which costs less than keeping it.
        """
        still, weighty = set(self._inputs), set[int]()
        for node in self._nodes:
            if not all(id(tensor) in still for tensor in node.input_tensors):
                continue
            why = _moves(node.operation)
            if why:
                if not weighty:
                    self.reason = why
                continue
            outputs = {id(tensor) for tensor in node.outputs}
            still |= outputs
            self._still.append(node)
            if type(node.operation).__name__ in SAME_FOR_ALL:
                continue  # DeBERTa's table of positions, 1.6 MB, would be kept for every example
            weights: Sequence[Any] = getattr(node.operation, "weights", [])
            if weights or any(id(tensor) in weighty for tensor in node.input_tensors):
                weighty |= outputs
        return weighty

    def _below(self, tensors: Iterable[Any], ends: Collection[int]) -> list[Any]:
        """Return the calls that compute tensors, down to the inputs or to the ends."""
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
    """Return the names by which the model's inputs are given, in their order."""
    if isinstance(model.input, dict):
        return sorted(model.input)
    return [tensor.name for tensor in model.inputs]


def _moves(operation: Any) -> str:
    """Return why an operation may give something else for the same input, or nothing."""
    if not isinstance(operation, keras.layers.Layer):
        return ""
    if operation.trainable_variables:
        return f"`{operation.name}`, the lowest layer with weights, is trained"
    for layer in flatten_layers(operation):
        if isinstance(layer, _UPDATED) and layer.trainable:
            return f"`{layer.name}` updates its statistics"
        draws = any(isinstance(v, keras.random.SeedGenerator) for v in vars(layer).values())
        if draws and getattr(layer, drop_rate_name(layer), 1) != 0:
            return f"`{layer.name}` changes its inputs at random"
    return ""
