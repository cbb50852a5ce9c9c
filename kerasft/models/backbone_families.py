"""Block outputs of backbones of any family.

They are found in three ways, in this order:

1. An entry in `_OPENERS`, for the few families whose blocks are inside one layer.
2. Attributes of KerasHub: pyramid levels, lists of transformer layers or stages.
3. The graph of any other Functional model.

No other module of this room distinguishes families.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras

from kerasft.errors import SettingError
from kerasft.models.graph import is_functional, nodes, replay
from kerasft.models.keras_attributes import get_functional_form, set_functional_form

# Attributes of KerasHub backbones that list layers, each of them a block.
_LISTS = ("transformer_layers", "stages", "encoder_layers")
# Families with causal attention, whose last real token attends to the whole text.
_DECODERS = (
    "Bloom", "Falcon", "Gemma", "GPT", "GptOss", "Llama", "Mistral", "Mixtral", "OPT", "Phi",
    "Qwen", "RWKV", "SmolLM",
)  # fmt: skip
# Families whose first position is a class token.
_CLASS_TOKENS = ("ViTBackbone", "DeiTBackbone", "DINOV2Backbone", "DINOV3Backbone")
# Weights that no output depends on: of DINOv2 pretraining, and of language-model outputs.
UNUSED = ("mask_token", "reverse_embeddings")
# Layers whose output depends only on weights, so it is the same for every example.
SAME_FOR_ALL = ("RelativeEmbedding",)


def functional_graph(backbone: keras.Model) -> keras.Model:
    """Return a backbone as a graph in which every block is a separate layer.

    The graph shares the layers of the backbone and is cached. Most backbones already have this
    form.
    """
    return _open(backbone)[0]


def _open(backbone: Any) -> tuple[keras.Model, list[Any]]:
    """Return the graph, and the block layers if the family has an entry."""
    form = get_functional_form(backbone)
    if form is None:
        opener = _OPENERS.get(type(backbone).__name__)
        form = (backbone, []) if opener is None else opener(backbone)
        set_functional_form(backbone, form)
    return form


def _open_vit(backbone: Any) -> tuple[keras.Model, list[Any]]:
    encoder = backbone.get_layer("vit_encoder")
    # A new layer, because the encoder's shares its name with the Dropout before the head.
    dropout = keras.layers.Dropout(backbone.dropout_rate, name="vit_dropout")
    x = dropout(backbone.get_layer("vit_patching_and_embedding").output)
    for layer in encoder.encoder_layers:
        x = layer(x)
    return keras.Model(backbone.inputs[0], encoder.layer_norm(x)), encoder.encoder_layers


class _States(keras.layers.Layer):
    """Wrapper of a layer that drops its attention scores (may be None)."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer, self.built = layer, True

    def call(self, x: Any) -> Any:
        """Return the states."""
        return self.layer(x)[0]

    def get_config(self) -> dict[str, Any]:
        """Return the config of the wrapped layer."""
        return self.layer.get_config()


def _open_deit(backbone: Any) -> tuple[keras.Model, list[Any]]:
    encoder = backbone.get_layer("deit_encoder")
    x = backbone.get_layer("deit_patching_and_embedding").output
    layers = [_States(layer) for layer in encoder.encoder_layers]
    for layer in layers:
        x = layer(x)
    return keras.Model(backbone.inputs[0], encoder.layer_norm(x)), layers


def _open_dinov2(backbone: Any) -> tuple[keras.Model, list[Any]]:
    x = backbone.embeddings.output
    for layer in backbone.encoder.layers:
        x = layer(x)
    return keras.Model(backbone.inputs[0], backbone.layernorm(x)), backbone.encoder.layers


def _open_dinov3(backbone: Any) -> tuple[keras.Model, list[Any]]:
    x, positions = backbone.embeddings.output, backbone.rope_embedding.output
    prefix = 1 + backbone.num_register_tokens
    for layer in backbone.encoder.layers:
        x = layer(x, position_embeddings=positions, num_prefix_tokens=prefix)
    return keras.Model(backbone.inputs[0], backbone.layernorm(x)), backbone.encoder.layers


def _open_hgnet(backbone: Any) -> tuple[keras.Model, list[Any]]:
    x, stages = backbone.embedder_layer.output, backbone.encoder_layer.stages_list
    for stage in stages:
        x = stage(x)
    return keras.Model(backbone.inputs[0], x), stages


def _open_t5(backbone: Any) -> tuple[keras.Model, list[Any]]:
    """Return the encoder; the decoder is not fine-tuned here."""
    given = [backbone.input["encoder_token_ids"], backbone.input["encoder_padding_mask"]]
    encoder = keras.Model(given, backbone.output["encoder_sequence_output"])
    # Keras matches inputs by name.
    names = ("token_ids", "padding_mask")
    inputs = [keras.Input((None,), dtype="int32", name=name) for name in names]
    graph = keras.Model(dict(zip(names, inputs, strict=True)), replay(encoder, inputs))
    return graph, backbone.encoder_transformer_layers


_OPENERS: dict[str, Callable[[Any], tuple[keras.Model, list[Any]]]] = {
    "ViTBackbone": _open_vit,
    "DeiTBackbone": _open_deit,
    "DINOV2Backbone": _open_dinov2,
    "DINOV3Backbone": _open_dinov3,
    "HGNetV2Backbone": _open_hgnet,
    "T5Backbone": _open_t5,
}


def block_outputs(backbone: keras.Model) -> dict[str, Any]:
    """Return the output tensor of every block in `functional_graph`, by name, lowest first.

    Raises:
        SettingError: The backbone is not a Functional model, or cannot be split into blocks.
    """
    graph, layers = _open(backbone)
    if not layers:
        if getattr(backbone, "pyramid_outputs", None):
            return dict(backbone.pyramid_outputs)
        lists = (getattr(backbone, name, None) for name in _LISTS)
        layers = _last_of_groups(next(filter(None, lists), ()))
    if layers:
        # A layer may be called several times, also in other graphs; use its last call in this one.
        made = {id(node.operation): node for node in nodes(graph)}
        return {layer.name: made[id(layer)].outputs[0] for layer in layers}
    if not is_functional(graph):
        raise SettingError(
            f"The blocks of {type(backbone).__name__} are unknown: it is not a Functional model. "
            "Convert a Sequential model with keras.Model(model.inputs, model.outputs)."
        )
    return _levels(graph)


def _last_of_groups(layers: Any) -> list[Any]:
    """Return one layer per block; ALBERT has groups of layers that are applied repeatedly."""
    return [layer[-1] if isinstance(layer, list | tuple) else layer for layer in layers]


def _levels(model: keras.Model) -> dict[str, Any]:
    """Return the outputs of the levels of any graph, by name.

    A level ends at a bottleneck: a tensor that all later computation depends on, so that no
    residual or parallel path is split. Images have one level per halving of the
    resolution, as in a pyramid; elsewhere every bottleneck after weights ends a level.
    """
    narrow = _narrow(model)
    if not narrow:
        raise SettingError(
            "The model cannot be split into blocks: its graph has parallel paths everywhere. "
            "Expected a tensor that all later layers depend on."
        )
    if len(model.inputs) > 1 or len(model.inputs[0].shape) != 4:
        return {tensor.name: tensor for tensor in _behind_weights(model, narrow)}
    given = model.inputs[0].shape
    size = given[1] or 256
    shapes = keras.Model(model.inputs, narrow).compute_output_shape((1, size, size, given[3]))
    found: dict[str, Any] = {}
    octave = 0
    for tensor, shape in zip(narrow, shapes if len(narrow) > 1 else [shapes], strict=True):
        if len(shape) == 4:  # pooled tensors belong to the level before the pooling
            octave = round(math.log2(size / shape[1]))
        found[f"P{octave}"] = tensor  # the last of its size
    ends = {id(tensor) for tensor in _behind_weights(model, list(found.values()))}
    return {name: tensor for name, tensor in found.items() if id(tensor) in ends}


def _narrow(model: Any) -> list[Any]:
    """Return the bottlenecks: tensors that all later computation depends on."""
    calls = nodes(model)
    last = {id(tensor): index for index, n in enumerate(calls) for tensor in n.input_tensors}
    last |= {id(tensor): len(calls) for tensor in model.outputs}
    waiting = {id(tensor) for tensor in model.inputs}
    found = []
    for index, node in enumerate(calls):
        waiting |= {id(tensor) for tensor in node.outputs}
        waiting = {key for key in waiting if last.get(key, -1) > index}
        if len(waiting) == 1 and id(node.outputs[0]) in waiting:
            found.append(node.outputs[0])
    return found


def _behind_weights(model: Any, tensors: list[Any]) -> list[Any]:
    """Return the tensors, in graph order, that have weights since the previous one."""
    ends, found, weighty = {id(tensor) for tensor in tensors}, [], False
    for node in nodes(model):
        weighty = weighty or bool(getattr(node.operation, "weights", None))
        if id(node.outputs[0]) in ends and weighty:
            found.append(node.outputs[0])
            weighty = False
    return found


def is_decoder(backbone: keras.Model) -> bool:
    """Return whether a text backbone reads from left to right only."""
    return type(backbone).__name__.startswith(_DECODERS)


def has_class_token(backbone: keras.Model) -> bool:
    """Return whether the first position of an image backbone is a class token."""
    name = type(backbone).__name__
    return name.startswith(_CLASS_TOKENS) and getattr(backbone, "use_class_token", True)
