"""Texts and pairs of texts as a served model reads them, in a TensorFlow graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kerasft.config import TextConfig
from kerasft.modalities.input_types import Serving
from kerasft.modalities.padding import trim_in_graph
from kerasft.presets.pair_mode import has_towers
from kerasft.presets.tokenizers import encode, load_preprocessor


def text_serving(config: TextConfig, *, pairs: bool) -> Serving:
    """Return how a served model tokenizes texts.

    Args:
        config: Config of the run.
        pairs: Whether the run reads pairs of texts.
    """
    preprocessor, towers = load_preprocessor(config), pairs and has_towers(config)
    # The export archive does not track tables that are created while tracing.
    if not preprocessor.built:
        preprocessor.build(None)

    def prepare_texts(text: Any) -> tuple[Any, Any]:
        errors = _text_errors(text)
        return trim_in_graph(encode(preprocessor, [tf.where(errors == "", text, "")])), errors

    def prepare_pairs(text: Any, text_pair: Any) -> tuple[Any, Any]:
        first, second = _text_errors(text), _text_errors(text_pair)
        errors = tf.where(first == "", second, first)
        texts = [tf.where(errors == "", part, "") for part in (text, text_pair)]
        return trim_in_graph(encode(preprocessor, texts, towers=towers)), errors

    names = ["text", "text_pair"][: 1 + pairs]
    signature = [tf.TensorSpec([None], tf.string, name) for name in names]
    return Serving(signature, prepare_pairs if pairs else prepare_texts, [preprocessor])


def _text_errors(texts: Any) -> Any:
    """Return a message for each text that cannot be read, in a TensorFlow graph, else ""."""
    # Tokenizers stop the whole batch at bytes that are not UTF-8.
    valid = tf.equal(texts, tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8"))
    empty = tf.equal(tf.strings.strip(texts), "")
    errors = tf.where(empty, "The text is empty. Give a text.", "")
    return tf.where(valid, errors, "The text is not valid UTF-8. Encode it as UTF-8.")
