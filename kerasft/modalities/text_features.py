"""Inputs, word dropout and pooling around a text backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasft.config import TextConfig
from kerasft.errors import SettingError
from kerasft.modalities.text_start import choose_feature_norm
from kerasft.models.adaptation import adapted_trunk
from kerasft.models.backbone_families import functional_graph, is_decoder
from kerasft.models.towers import compare
from kerasft.models.word_dropout import word_dropout
from kerasft.presets.pair_mode import PAIR, has_towers
from kerasft.presets.tokenizers import load_preprocessor

_SMALLEST_SHARE = 0.95  # of the embeddings that have tokens


def text_features(backbone: keras.Model, config: TextConfig) -> tuple[Any, Any]:
    """Connect a text backbone to its inputs and pool its tokens.

    For `pair_mode=towers`, it is connected to two texts, whose vectors are compared
    (`kerasft.models.towers`).

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config with the pooling: `mean` over the real tokens, `first` token (through the
            pooler of the family if it has one), `last` real token; `auto` is `last` for decoders
            (GPT) and `mean` for encoders, whose mean is the better frozen feature
            (Reimers and Gurevych 2019, arXiv 1908.10084); and with `feature_norm`: `rms` scales
            each vector to a mean square of one, as sentence encoders compare directions.

    Returns:
        (inputs, features): a dict of integer inputs of shape (batch, length), named as by the
        preset's preprocessor (those of a second tower end in `_pair`), and one float32 vector per
        text or pair.

    Raises:
        SettingError: `sequence_length` exceeds the maximum of the backbone, or its tokenizer has
            another vocabulary.
    """
    _check_vocabulary(backbone, config)
    longest = getattr(backbone, "max_sequence_length", None)
    if longest is not None and config.sequence_length > longest:
        raise SettingError(
            f"`sequence_length` must be at most {longest} for {type(backbone).__name__} of "
            f"{config.preset}. Received: sequence_length={config.sequence_length}."
        )
    encode, inputs = _encoder(backbone, config), _inputs(backbone)
    if not has_towers(config):
        return inputs, encode(inputs)
    second = _inputs(backbone, PAIR)
    named = {name + PAIR: tensor for name, tensor in second.items()}
    return {**inputs, **named}, compare(encode(inputs), encode(second), config)


def _inputs(backbone: keras.Model, end: str = "") -> dict[str, Any]:
    """Return the inputs of one text by their names in the backbone, with an end in the model."""
    return {
        name: keras.Input((None,), dtype=tensor.dtype, name=name + end)
        for name, tensor in functional_graph(backbone).input.items()
    }


def _encoder(backbone: keras.Model, config: TextConfig) -> Callable[[dict[str, Any]], Any]:
    """Return the function from the inputs of one text to its vector; all calls share layers."""
    pooling, output = text_pooling(backbone, config), functional_graph(backbone).output
    if isinstance(output, dict):
        output = output["pooled_output" if pooling == "first" else "sequence_output"]
    mask_words, trunk = word_dropout(config), adapted_trunk(backbone, output, config)
    one_length = choose_feature_norm(config) == "rms"

    def encode(inputs: dict[str, Any]) -> Any:
        states = trunk({**inputs, "token_ids": mask_words(inputs["token_ids"])})
        return scaled(pooled(states, inputs))

    def pooled(states: Any, inputs: dict[str, Any]) -> Any:
        if len(states.shape) == 2:  # already pooled by the pooler of the family
            return keras.ops.cast(states, "float32")
        mask = inputs.get("padding_mask")
        if mask is None:  # FNet's preprocessor leaves it out
            padding = load_preprocessor(config).tokenizer.pad_token_id
            mask = keras.ops.not_equal(inputs["token_ids"], padding)
        return pool_tokens(states, mask, pooling)

    def scaled(vectors: Any) -> Any:
        return keras.ops.rms_normalization(vectors) if one_length else vectors

    return encode


def _check_vocabulary(backbone: keras.Model, config: TextConfig) -> None:
    """Refuse a tokenizer whose tokens are not those of the embeddings, such as half a file."""
    embeddings = getattr(backbone, "vocabulary_size", None)
    if embeddings is None:
        return
    tokens = load_preprocessor(config).tokenizer.vocabulary_size()
    # Some families have more embeddings than tokens, so that their number is a round one.
    if not _SMALLEST_SHARE * embeddings <= tokens <= embeddings:
        raise SettingError(
            f"The tokenizer of the preset {config.preset} has {tokens:,} tokens, but its backbone "
            f"{embeddings:,} embeddings. Restore the vocabulary of the preset."
        )


def text_pooling(backbone: keras.Model, config: TextConfig) -> str:
    """Return the pooling of a text backbone: `auto` is that of its family."""
    if config.pooling != "auto":
        return config.pooling
    return "last" if is_decoder(backbone) else "mean"


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
