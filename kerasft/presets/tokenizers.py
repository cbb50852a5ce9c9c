"""Tokenizers and packers of presets, cached, and their TensorFlow graphs."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.config import TextConfig
from kerasft.errors import SettingError
from kerasft.presets.pair_mode import PAIR
from kerasft.presets.resolve import resolve


def load_preprocessor(config: TextConfig) -> Any:
    """Return the preset's tokenizer and packer, a `keras_hub.models.TextClassifierPreprocessor`.

    Args:
        config: Config, of which `preset` and `sequence_length` are used.

    Raises:
        SettingError: The preset has no tokenizer.
    """
    # KerasHub downloads a tokenizer alone; a snapshot of the hub is whole only with its weights.
    preset = resolve(config.preset, pretrained=config.preset.startswith("hf://"))
    arguments = preset.location, config.sequence_length
    if not _is_alive(_load(*arguments)):
        for cached in (_load, token_graph, length_graph):
            cached.cache_clear()
    return _load(*arguments)


def _is_alive(preprocessor: Any) -> bool:
    """Return whether a cached tokenizer still works.

    The vocabulary of a SentencePiece tokenizer belongs to a TensorFlow operation, and
    `tf.random.set_seed` drops operations. Other tokenizers have nothing to lose.
    """
    import keras_hub
    import tensorflow as tf

    if not isinstance(preprocessor.tokenizer, keras_hub.tokenizers.SentencePieceTokenizer):
        return True  # without a graph to trace for this check, which takes seconds
    try:
        token_graph(preprocessor, 1)(tf.constant([""]))
    except tf.errors.NotFoundError:
        return False
    return True


@functools.lru_cache(maxsize=8)
def _load(location: str, sequence_length: int) -> Any:
    import keras_hub

    kind = keras_hub.models.TextClassifierPreprocessor
    try:
        return kind.from_preset(location, sequence_length=sequence_length)
    except (ValueError, FileNotFoundError):
        pass  # no classifier of this family, or no tokenizer: tried next
    try:
        from kerasft.presets.preprocessors import from_tokenizer

        return from_tokenizer(location, sequence_length)
    except (ValueError, FileNotFoundError) as error:
        raise SettingError(
            f"`preset` must have a tokenizer. Received a preset without one: {location}."
        ) from error


def tokenizer_fingerprint(config: TextConfig) -> str:
    """Return a hash of the vocabulary and settings of the preset's tokenizer and packer."""
    preprocessor = load_preprocessor(config)
    packer = getattr(preprocessor, "preprocessor", preprocessor)  # of a wrapper
    settings = {**packer.get_config(), "tokenizer": None, "name": None}
    own = {**preprocessor.tokenizer.get_config(), "name": None}
    kind = type(preprocessor).__name__, type(preprocessor.tokenizer).__name__
    total = hashlib.sha256(json.dumps([kind, settings, own], sort_keys=True, default=str).encode())
    with tempfile.TemporaryDirectory() as folder:
        preprocessor.tokenizer.save_assets(folder)
        for path in sorted(Path(folder).rglob("*")):
            total.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return total.hexdigest()


def encode(preprocessor: Any, texts: Sequence[Any], *, towers: bool = False) -> dict[str, Any]:
    """Return the inputs of the model for columns of strings, in a TensorFlow graph.

    Args:
        preprocessor: Preprocessor of `load_preprocessor`.
        texts: String tensor of each column: one, or two of pairs.
        towers: Whether each column has inputs of its own; the names of the second end in `_pair`.
    """
    if towers:
        first, second = (encode(preprocessor, [column]) for column in texts)
        return {**first, **{name + PAIR: values for name, values in second.items()}}
    # By keyword: two positional texts would be read as inputs and labels.
    found: dict[str, Any] = preprocessor(x=tuple(texts) if len(texts) > 1 else texts[0])
    return found


@functools.lru_cache(maxsize=16)
def token_graph(preprocessor: Any, count: int, *, towers: bool = False) -> Any:
    """Return the graph of `encode` for `count` columns of strings.

    Outside a graph KerasHub runs Python code, which is slower and differs from what is served.
    """
    return _function(lambda *texts: encode(preprocessor, texts, towers=towers), count)


@functools.lru_cache(maxsize=16)
def length_graph(tokenizer: Any, count: int, *, towers: bool = False) -> Any:
    """Return the graph from `count` columns of strings to their number of tokens.

    It is the sum of the columns, or in towers the number of the longer text.
    """

    def lengths(*texts: Any) -> Any:
        import tensorflow as tf

        counts = tf.stack([tokenizer(text).row_lengths() for text in texts])
        return {"length": (tf.reduce_max if towers else tf.reduce_sum)(counts, axis=0)}

    return _function(lengths, count)


def _function(function: Any, count: int) -> Any:
    import tensorflow as tf

    signature = [tf.TensorSpec([None], tf.string)] * count
    graph = tf.function(function, input_signature=signature, autograph=False)
    return graph.get_concrete_function()
