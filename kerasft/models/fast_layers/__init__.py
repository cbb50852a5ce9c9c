"""Layers of a loaded backbone with fewer passes over memory, on TensorFlow.

Values and gradients are the same up to rounding; configs and saved files do not change. Recipes
and backbones need no other code. Keras computes GELU, layer normalization and dropout by a dozen
operations each, and batch normalization by two; every one of them reads and writes all values. It
also traces each block of a backbone anew, where blocks of one structure can share a trace.
"""

from __future__ import annotations

from types import MethodType

import keras

from kerasft.models.blocks import flatten_layers
from kerasft.models.fast_layers.batch_norm import call_batch_norm, normalizes_channels
from kerasft.models.fast_layers.compiled_ahead import compiling_ahead
from kerasft.models.fast_layers.dropout import call_dropout, drops_values
from kerasft.models.fast_layers.einsum_dense import call_einsum_dense, is_product
from kerasft.models.fast_layers.embedding import call_embedding, looks_up_rows
from kerasft.models.fast_layers.gelu import call_dense, ends_in_gelu
from kerasft.models.fast_layers.layer_norm import call_layer_norm, normalizes_rows
from kerasft.models.fast_layers.own_graphs import exported_graphs, own_graphs
from kerasft.models.fast_layers.regions import fused_regions
from kerasft.models.fast_layers.shared_trace import share_traces
from kerasft.models.fast_layers.steps import speed_up_steps

__all__ = [
    "compiling_ahead",
    "exported_graphs",
    "fused_regions",
    "own_graphs",
    "speed_up",
    "speed_up_steps",
]

_CALLS = (
    (is_product, call_einsum_dense),
    (ends_in_gelu, call_dense),
    (normalizes_rows, call_layer_norm),
    (looks_up_rows, call_embedding),
    (normalizes_channels, call_batch_norm),
)
_DROPOUT = (drops_values, call_dropout)


def speed_up(model: keras.Model) -> None:
    """Replace the method `call` of layers that have a faster one, on TensorFlow.

    GELU, layer normalization and dropout use regions in training steps only (`speed_up_steps`);
    batch normalization is folded in `own_graphs`.

    Args:
        model: Model whose layers, nested ones included, are changed in place.
    """
    if keras.backend.backend() != "tensorflow":
        return
    layers = flatten_layers(model)
    # The number of features of a Dropout is that of the model, which is not known before its call.
    wide = any(normalizes_rows(layer) for layer in layers)
    for layer in layers:
        for fits, call in (*_CALLS, _DROPOUT) if wide else _CALLS:
            if fits(layer):
                layer.call = MethodType(call, layer)
    share_traces(model)
