"""Word dropout, as a layer of the model that is active only in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasft.config import TextConfig
from kerasft.errors import SettingError
from kerasft.presets.tokenizers import load_preprocessor


def word_dropout(config: TextConfig) -> Callable[[Any], Any]:
    """Return word dropout: a layer that replaces random token ids by the mask token in training.

    Iyyer et al. 2015 (ACL, "Deep unordered composition rivals syntactic methods") remove words.
    Replacing them by the mask token, or the unknown-word token, keeps the length of the text.

    Args:
        config: Settings; `word_dropout` (fraction of the tokens, in [0, 1)) is used, and the
            tokenizer of `preset`, whose special tokens are never replaced. At a rate of 0, the
            function returns its argument.

    Raises:
        SettingError: The tokenizer has neither a mask nor an unknown-word token.
    """
    if not config.word_dropout:
        return lambda token_ids: token_ids
    tokenizer = load_preprocessor(config).tokenizer
    names = ("mask_token_id", "unk_token_id")
    mask = next((i for n in names if (i := getattr(tokenizer, n, None)) is not None), None)
    if mask is None:
        raise SettingError(
            "`word_dropout` needs a mask or unknown-word token, which "
            f"{type(tokenizer).__name__} lacks. Set word_dropout=0, or use another preset."
        )
    kept = sorted({int(index) for index in tokenizer.special_token_ids} | {int(mask)})
    layer: WordDropout = WordDropout(config.word_dropout, int(mask), kept, name="word_dropout")
    return layer


@keras.saving.register_keras_serializable(package="kerasft")
class WordDropout(keras.layers.Layer):
    """A layer that replaces random tokens in training.

    Args:
        rate: Fraction of the tokens to replace, in [0, 1).
        mask: Id of the token that replaces them.
        kept: Ids of the tokens that are never replaced: special tokens, padding included.
    """

    def __init__(self, rate: float, mask: int, kept: list[int], **options: Any) -> None:
        super().__init__(**options)
        self.rate, self.mask, self.kept = rate, mask, list(kept)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, token_ids: Any, training: bool = False) -> Any:
        """Return the token ids, with random ones replaced in training."""
        if not training:
            return token_ids
        chosen = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator) < self.rate
        for token in self.kept:
            chosen = ops.logical_and(chosen, ops.not_equal(token_ids, token))
        return ops.where(chosen, ops.cast(self.mask, token_ids.dtype), token_ids)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the configuration with the arguments of the layer."""
        rest = {"rate": self.rate, "mask": self.mask, "kept": self.kept}
        return {**super().get_config(), **rest}
