"""Inputs, pooling, Dropout and output layer around a backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasft.config import Config, ImageConfig, TextConfig
from kerasft.data import Labels
from kerasft.errors import SettingError
from kerasft.modalities import IMAGES, TEXTS, modality_of, refuse
from kerasft.models.adaptation import adapt
from kerasft.models.augmentation import augment
from kerasft.models.backbone_families import functional_graph, has_class_token, is_decoder
from kerasft.models.blocks import trunk
from kerasft.models.mutable_scalars import MutableDropout, MutableL1L2
from kerasft.models.word_dropout import mask_words
from kerasft.presets.pixel_scaling import DEFAULT_SCALING, pixel_scaling
from kerasft.presets.tokenizers import load_preprocessor


def features(backbone: keras.Model, config: Config) -> tuple[Any, Any]:
    """Connect a backbone to the inputs of its modality, with pooling to one vector per example.

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config: an ImageConfig (see `image_features`) or a TextConfig (see
            `text_features`).

    Returns:
        (inputs, features): model inputs, and float32 vectors of shape (batch, width).

    Raises:
        SettingError: The backbone does not read inputs of this modality.

    Example:
        >>> inputs, features = kerasft.features(backbone, config)
        >>> keras.Model(inputs, kerasft.head(features, config, data.labels))
    """
    connect = _FEATURES.get(modality_of(config).name)
    if connect is None:
        raise refuse(config)
    return connect(backbone, config)


def image_features(backbone: keras.Model, config: ImageConfig) -> tuple[Any, Any]:
    """Connect an image backbone to its input: augmentation, scaling, backbone, pooling.

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config with image_size, augmentation, horizontal_flip, random_erasing, preset,
            pooling, and the settings of `adaptation.adapt`.

    Returns:
        (inputs, features): pixels 0 to 255 of shape (batch, image_size, image_size, 3), and one
        float32 vector per image.

    Raises:
        SettingError: The backbone is not for images, or needs another image size.
    """
    size = config.image_size
    graph = functional_graph(backbone)
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        raise SettingError(
            f"`preset` must be of an image model. Received: {config.preset}, whose inputs are "
            f"{', '.join(tensor.name for tensor in graph.inputs)}."
        )
    wanted = graph.inputs[0].shape[1]
    if wanted not in (None, size):
        raise SettingError(
            f"`image_size` must be {wanted} for {type(backbone).__name__} of {config.preset}. "
            f"Received: image_size={size}."
        )
    inputs = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = augment(
        inputs,
        strength=config.augmentation,
        horizontal_flip=config.horizontal_flip,
        random_erasing=config.random_erasing,
    )
    scale, offset = pixel_scaling(config.preset) if config.preset else DEFAULT_SCALING
    x = keras.layers.Rescaling(scale, offset, name="scaling")(x)
    x = _part(backbone, graph.output, config)(x)
    pooling = config.pooling
    if pooling == "auto":
        pooling = "first" if has_class_token(backbone) else "average"
    return inputs, pool_positions(x, pooling)


def _part(backbone: keras.Model, output: Any, config: Config) -> keras.Model:
    part = trunk(backbone, output)
    adapt(part, config)
    return part


def pool_positions(x: Any, pooling: str) -> Any:
    """Pool the image features of a backbone to one vector per image.

    Args:
        x: Feature map of shape (batch, height, width, channels), or tokens of shape (batch,
            positions, width).
        pooling: Pooling method: `average`, `max`, or `first` (the class token of a transformer).

    Returns:
        Shape (batch, channels), float32.

    Raises:
        SettingError: `pooling` is `first` for a feature map.
    """
    rank = len(x.shape)
    if rank == 2:  # already pooled by the backbone
        return keras.ops.cast(x, "float32")
    if pooling == "first":
        if rank != 3:
            raise SettingError(
                "`pooling` can be first only for transformers with a class token. "
                "Received: pooling='first'. Use --pooling average."
            )
        return keras.ops.cast(x[:, 0], "float32")
    kind = "Average" if pooling == "average" else "Max"
    pool = getattr(keras.layers, f"Global{kind}Pooling{rank - 2}D")
    return pool(name="pooling", dtype="float32")(x)


def text_features(backbone: keras.Model, config: TextConfig) -> tuple[Any, Any]:
    """Connect a text backbone to its inputs and pool its tokens.

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config with the pooling: `mean` over the real tokens, `first` token (through the
            pooler of the family if it has one), `last` real token; `auto` is `last` for decoders
            (GPT) and `mean` for encoders, whose mean is the better frozen feature
            (Reimers and Gurevych 2019, arXiv 1908.10084).

    Returns:
        (inputs, features): a dict of integer inputs of shape (batch, length), named as by the
        preset's preprocessor, and one float32 vector per text.

    Raises:
        SettingError: `sequence_length` exceeds the maximum of the backbone.
    """
    longest = getattr(backbone, "max_sequence_length", None)
    if longest is not None and config.sequence_length > longest:
        raise SettingError(
            f"`sequence_length` must be at most {longest} for {type(backbone).__name__} of "
            f"{config.preset}. Received: sequence_length={config.sequence_length}."
        )
    graph = functional_graph(backbone)
    inputs = {
        name: keras.Input((None,), dtype=tensor.dtype, name=name)
        for name, tensor in graph.input.items()
    }
    pooling = config.pooling
    if pooling == "auto":
        pooling = "last" if is_decoder(backbone) else "mean"
    output = graph.output
    if isinstance(output, dict):
        output = output["pooled_output" if pooling == "first" else "sequence_output"]
    read = inputs
    if config.word_dropout:
        read = {**inputs, "token_ids": mask_words(inputs["token_ids"], config)}
    states = _part(backbone, output, config)(read)
    if len(states.shape) == 2:  # already pooled by the pooler of the family
        return inputs, keras.ops.cast(states, "float32")
    mask = inputs.get("padding_mask")
    if mask is None:  # FNet's preprocessor leaves it out
        padding = load_preprocessor(config).tokenizer.pad_token_id
        mask = keras.ops.not_equal(inputs["token_ids"], padding)
    return inputs, pool_tokens(states, mask, pooling)


def pool_tokens(states: Any, padding_mask: Any, pooling: str) -> Any:
    """Pool token states to one vector per text.

    Args:
        states: Token states of shape (batch, length, width).
        padding_mask: Mask of shape (batch, length), nonzero for real tokens, at least one per row.
        pooling: Pooling method: `mean`, `first` or `last`.

    Returns:
        Shape (batch, width), float32.
    """
    states = keras.ops.cast(states, "float32")
    mask = keras.ops.cast(padding_mask, "float32")
    if pooling == "first":
        return states[:, 0]
    if pooling == "last":
        # Select the last real token, for padding on either side.
        length = keras.ops.cumsum(mask, axis=1)
        mask = mask * keras.ops.cast(
            keras.ops.equal(length, keras.ops.max(length, axis=1, keepdims=True)), "float32"
        )
    mask = keras.ops.expand_dims(mask, -1)
    return keras.ops.sum(states * mask, axis=1) / keras.ops.maximum(
        keras.ops.sum(mask, axis=1), 1.0
    )


def head(features: Any, config: Config, labels: Labels) -> Any:
    """Add Dropout and the output layer, with its L1 and L2 penalty.

    Outputs are probabilities of the classes (softmax, or one sigmoid per label), or a number in
    the unit of the target.

    Args:
        features: Feature vectors of shape (batch, width).
        config: Config with dropout, kernel_l1 and kernel_l2.
        labels: Meaning of the outputs.

    Returns:
        Shape (batch, classes), or (batch, 1) for a number; always float32.
    """
    x = MutableDropout(config.dropout, name="dropout", dtype="float32")(features)
    penalty = None
    if config.kernel_l1 or config.kernel_l2:
        penalty = MutableL1L2(config.kernel_l1, config.kernel_l2)
    x = keras.layers.Dense(
        labels.num_outputs, kernel_regularizer=penalty, name="head", dtype="float32"
    )(x)
    return labels.kind.activate(x, labels)


# By modality: a modality itself stands below this room and knows no backbone.
_FEATURES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    IMAGES.name: image_features,
    TEXTS.name: text_features,
}
