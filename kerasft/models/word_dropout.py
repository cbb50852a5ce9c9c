"""Random changes of training texts, as a layer of the model: inactive outside training."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasft.config import TextConfig
from kerasft.errors import SettingError
from kerasft.presets.tokenizers import load_preprocessor


def mask_words(token_ids: Any, config: TextConfig) -> Any:
    """Mask a share of the tokens at random in training, as word dropout does.

    Iyyer et al. 2015 (ACL, "Deep unordered composition rivals syntactic methods") drop words;
    here they become the token that stands for a hidden word, so that no text changes its length.

    Args:
        token_ids: Shape (batch, length).
        config: Its word_dropout is the share; its preset's tokenizer tells which tokens stand for
            no word and stay.

    Raises:
        SettingError: The tokenizer has no token for a hidden or an unknown word.
    """
    tokenizer = load_preprocessor(config).tokenizer
    names = ("mask_token_id", "unk_token_id")
    mask = next((i for n in names if (i := getattr(tokenizer, n, None)) is not None), None)
    if mask is None:
        raise SettingError(
            f"`word_dropout` needs a token for a hidden word: {type(tokenizer).__name__} has none."
        )
    kept = sorted({int(index) for index in tokenizer.special_token_ids} | {int(mask)})
    return WordDropout(config.word_dropout, int(mask), kept, name="word_dropout")(token_ids)


@keras.saving.register_keras_serializable(package="kerasft")
class WordDropout(keras.layers.Layer):
    """Replaces tokens at random in training.

    Args:
        rate: Share of the tokens that is replaced.
        mask: What they become.
        kept: Tokens that stay: those that stand for no word, padding among them.
    """

    def __init__(self, rate: float, mask: int, kept: list[int], **options: Any) -> None:
        super().__init__(**options)
        self.rate, self.mask, self.kept = rate, mask, list(kept)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, token_ids: Any, training: bool = False) -> Any:
        """Return the tokens, some of them replaced."""
        if not training:
            return token_ids
        chosen = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator) < self.rate
        for token in self.kept:
            chosen = ops.logical_and(chosen, ops.not_equal(token_ids, token))
        return ops.where(chosen, ops.cast(self.mask, token_ids.dtype), token_ids)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape that it got."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        rest = {"rate": self.rate, "mask": self.mask, "kept": self.kept}
        return {**super().get_config(), **rest}
