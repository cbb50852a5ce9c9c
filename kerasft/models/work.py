"""Multiplications of a graph, for one example."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.models.graph import flat, nodes


@dataclass(frozen=True)
class Product:
    """The matrix product that a layer's kernel is, for one example.

    Attributes:
        rows: Positions of the output, by unit of a length that varies.
        inner: The summed axis.
        columns: Features made.
        learned: Whether its gradients are needed in training.
    """

    rows: int
    inner: int
    columns: int
    learned: bool

    @property
    def work(self) -> float:
        """Multiplications."""
        return float(self.rows * self.inner * self.columns)


def work_of(model: keras.Model) -> float:
    """Return the multiplications of a Functional model for one example, as `Part.work`."""
    return sum(product.work for product in products_of(nodes(flat(model))))


def products_of(calls: list[Any]) -> list[Product]:
    """Return the products of kernels in calls that stand in the order of the graph.

    Kernels times the positions of the output: exact for dense layers and convolutions, near
    enough for blocks of them. Tables of embeddings are read, not multiplied; products of tokens
    with tokens are left out.
    """
    found, learned = [], set[int]()
    for node in calls:
        operation = node.operation
        layer = isinstance(operation, keras.layers.Layer)
        trained = bool(layer and operation.trainable_variables)
        trained = trained or any(id(tensor) in learned for tensor in node.input_tensors)
        if trained:
            learned.update(id(output) for output in node.outputs)
        rows = math.prod(size or 1 for size in node.outputs[0].shape[1:-1])
        for variable in operation.weights if layer else ():
            if len(variable.shape) > 1 and "embedding" not in variable.path:
                columns = variable.shape[-1]
                inner = math.prod(variable.shape) // columns
                found.append(Product(rows, inner, columns, trained))
    return found
