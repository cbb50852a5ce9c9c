"""Compute of a graph, as multiplications per example."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.models.graph import flat, is_functional, nodes


@dataclass(frozen=True)
class Product:
    """The matrix product of a kernel, for one example.

    Attributes:
        rows: Number of output positions; an axis of variable length counts as 1.
        inner: Size of the summed axis.
        columns: Number of output features.
        learned: Whether training needs gradients of the product.
    """

    rows: int
    inner: int
    columns: int
    learned: bool

    @property
    def work(self) -> float:
        """Number of multiplications."""
        return float(self.rows * self.inner * self.columns)


def graph_products(model: keras.Model) -> list[Product]:
    """Return the matrix products of a Functional model; none of any other, which has no graph."""
    return products_of(nodes(flat(model))) if is_functional(model) else []


def work_of(model: keras.Model) -> float:
    """Return the number of multiplications of a Functional model per example."""
    return sum(product.work for product in graph_products(model))


def products_of(calls: list[Any]) -> list[Product]:
    """Return the matrix products of the kernels in a list of nodes, in graph order.

    Each kernel counts once per output position: exact for dense layers and convolutions, close
    for blocks of them. Embedding lookups are not products. Products of activations (attention
    scores) are ignored.
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
