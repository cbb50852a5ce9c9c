"""Preprocessors for families without a text classifier in KerasHub."""

from __future__ import annotations

from typing import Any

import keras_hub
import tensorflow as tf


class _Wrapper(keras_hub.models.Preprocessor):
    """A wrapper of a KerasHub preprocessor, which is the one that a preset saves."""

    def __init__(self, preprocessor: Any) -> None:
        super().__init__()
        self.preprocessor, self.tokenizer = preprocessor, preprocessor.tokenizer

    def save_to_preset(self, preset_dir: str) -> None:
        """Save the wrapped preprocessor."""
        self.preprocessor.save_to_preset(preset_dir)


class Prompt(_Wrapper):
    """Texts as a causal language model reads a prompt: a start token and no end token.

    A pair of texts is joined by a line break.

    Args:
        preprocessor: Instance of `keras_hub.models.CausalLMPreprocessor`.
    """

    def build(self, input_shape: Any) -> None:
        """Build the packer, after the tokenizer has its vocabulary."""
        self.preprocessor.build(None)
        self.built = True

    def call(self, x: Any) -> dict[str, Any]:
        """Return `token_ids` and `padding_mask`."""
        text = tf.strings.join(x, "\n") if isinstance(x, tuple | list) else x
        length = self.preprocessor.sequence_length
        return self.preprocessor.generate_preprocess(text, sequence_length=length)


class EncodedTexts(_Wrapper):
    """Texts as the encoder of T5 reads them: every text ends with the end token.

    Pairs, which the KerasHub preprocessor lacks, are joined as in Hugging Face.

    Args:
        preprocessor: Instance of `keras_hub.models.T5Preprocessor`.
    """

    def build(self, input_shape: Any) -> None:
        """Build the packers, after the tokenizer has its vocabulary."""
        self.preprocessor.build(None)
        end = self.tokenizer.end_token_id
        self.packer = keras_hub.layers.MultiSegmentPacker(
            sequence_length=self.preprocessor.sequence_length, start_value=end, end_value=end,
            pad_value=self.tokenizer.pad_token_id,
        )  # fmt: skip
        self.built = True

    def call(self, x: Any) -> dict[str, Any]:
        """Return `token_ids` and `padding_mask`."""
        if not isinstance(x, tuple | list):
            encoded: dict[str, Any] = self.preprocessor(x)
            return encoded
        segments = tuple(self.tokenizer(text) for text in x)
        tokens, _ = self.packer(segments, add_start_value=False)
        return {"token_ids": tokens, "padding_mask": tokens != self.tokenizer.pad_token_id}


def from_tokenizer(location: str, sequence_length: int) -> Any:
    """Return a preprocessor for a family without one for classification.

    Decoders get a `Prompt`; encoders get tokens between start and end tokens.

    Raises:
        ValueError: The preset has no tokenizer.
        FileNotFoundError: The same, for other presets.
    """
    models = keras_hub.models
    tokenizer = models.Tokenizer.from_preset(location)
    if getattr(tokenizer, "sep_token_id", None) is not None:
        return models.TextClassifierPreprocessor(tokenizer, sequence_length=sequence_length)
    if isinstance(tokenizer, models.T5Tokenizer):
        own = models.T5Preprocessor(tokenizer, sequence_length=sequence_length)
        return EncodedTexts(own)
    causal = models.CausalLMPreprocessor.from_preset(location, sequence_length=sequence_length)
    return Prompt(causal)
