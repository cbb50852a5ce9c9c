"""Texts brought to the arrays of tokens that a preset's model takes."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kerasft.config import TextConfig
from kerasft.data.batches import trim_texts
from kerasft.data.examples import Examples
from kerasft.errors import DataError, SettingError
from kerasft.presets import resolve

_ROWS = 256  # texts tokenised at once


def load_preprocessor(config: TextConfig) -> Any:
    """Returns the preset's tokenizer and packer, a `keras_hub.models.TextClassifierPreprocessor`.

    Args:
        config: Its `preset` and `sequence_length` are used.

    Raises:
        SettingError: The preset has no tokenizer.
    """
    arguments = resolve(config.preset).location, config.sequence_length
    if not _is_alive(_load(*arguments)):
        for kept in (_load, _token_graph, _length_graph):
            kept.cache_clear()
    return _load(*arguments)


def _is_alive(preprocessor: Any) -> bool:
    """Tells whether a kept tokenizer still works.

    TensorFlow drops the vocabulary of a SentencePiece tokenizer when seeds are set: its operation
    owns it, and `tf.random.set_seed` forgets operations.
    """
    import tensorflow as tf

    try:
        _token_graph(preprocessor, 1)(tf.constant([""]))
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
        pass  # the family has none, or the preset has no tokenizer: the next line tells
    try:
        from kerasft.data.prompts import from_tokenizer

        return from_tokenizer(location, sequence_length)
    except (ValueError, FileNotFoundError) as error:
        raise SettingError(
            f"`preset` must be of a text model with a tokenizer. {location} has none."
        ) from error


def prepare_texts(config: TextConfig, examples: Examples) -> dict[str, np.ndarray]:
    """Tokenises all texts, in batches and in TensorFlow's graph, as a served model does.

    Args:
        config: Its `preset` and `sequence_length` are used.
        examples: Texts, or pairs of texts.

    Returns:
        int32 arrays of shape (n, length) by the names of the preprocessor: `token_ids`,
        `padding_mask` and for some families `segment_ids`. The length is that of the longest
        text, rounded up to a multiple of 8, and at most `sequence_length`.

    Raises:
        DataError: An input is not text.
    """
    segments = _segments(examples)
    batches = _in_graph(segments, _token_graph(load_preprocessor(config), len(segments)))
    if not batches:
        raise DataError("There are no texts to prepare.")
    x = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return trim_texts({name: values.astype(np.int32) for name, values in x.items()})


def _segments(examples: Examples) -> tuple[np.ndarray, ...]:
    """Returns one array of UTF-8 strings, or two for pairs."""
    pairs = bool(examples.inputs) and isinstance(examples.inputs[0], tuple)
    columns: tuple[list[bytes], ...] = ([], []) if pairs else ([],)
    for item, origin in zip(examples.inputs, examples.origins, strict=True):
        texts = item if isinstance(item, tuple) else (item,)
        if len(texts) != len(columns) or not all(isinstance(text, str) for text in texts):
            wanted = "a pair of texts" if pairs else "a text"
            raise DataError(f"{origin} must be {wanted}. Received: {item!r:.80}.")
        for column, text in zip(columns, texts, strict=True):
            column.append(_to_bytes(text, origin))
    return tuple(np.array(column, dtype=object) for column in columns)


def _to_bytes(text: str, origin: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{origin} has half a character (a lone surrogate) at position {error.start}: it is no "
            "valid Unicode text."
        ) from error


def _in_graph(segments: tuple[np.ndarray, ...], graph: Any) -> list[dict[str, np.ndarray]]:
    """Returns what a graph makes of batches of strings, several batches at a time, in order."""
    starts = range(0, len(segments[0]), _ROWS)

    def run(start: int) -> dict[str, np.ndarray]:
        import tensorflow as tf

        batch = [tf.constant(column[start : start + _ROWS]) for column in segments]
        return {name: values.numpy() for name, values in graph(*batch).items()}

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(run, starts))


@functools.lru_cache(maxsize=16)
def _token_graph(preprocessor: Any, count: int) -> Any:
    """Returns the graph from `count` columns of strings to the arrays of the model.

    Outside a graph KerasHub takes its Python path, which is slower and not what is served.
    """

    def tokens(*texts: Any) -> Any:
        # By keyword: two positional texts would be taken for inputs and labels.
        return preprocessor(x=texts if len(texts) > 1 else texts[0])

    return _function(tokens, count)


@functools.lru_cache(maxsize=16)
def _length_graph(tokenizer: Any, count: int) -> Any:
    """Returns the graph from `count` columns of strings to their numbers of tokens."""

    def lengths(*texts: Any) -> Any:
        import tensorflow as tf

        return {"length": tf.add_n([tokenizer(text).row_lengths() for text in texts])}

    return _function(lengths, count)


def _function(function: Any, count: int) -> Any:
    import tensorflow as tf

    signature = [tf.TensorSpec([None], tf.string)] * count
    graph = tf.function(function, input_signature=signature, autograph=False)
    return graph.get_concrete_function()


def count_truncated(config: TextConfig, examples: Examples, x: dict[str, np.ndarray]) -> int:
    """Returns how many texts were cut at `sequence_length`.

    Only texts that fill the whole length can have been cut; those are tokenised once more, without
    a limit, and counted together with the special tokens that the family adds.

    Args:
        config: As for `prepare_texts`.
        examples: Its texts.
        x: What it returned.
    """
    mask = x.get("padding_mask", x["token_ids"])
    if mask.shape[1] < config.sequence_length:
        return 0
    full = np.flatnonzero((mask != 0).all(axis=1))
    if not len(full):
        return 0
    preprocessor = load_preprocessor(config)
    segments = _segments(examples.select(full))
    count = len(segments)
    empty = tuple(np.array([b""], dtype=object) for _ in range(count))
    (row,) = _in_graph(empty, _token_graph(preprocessor, count))
    special = np.count_nonzero(row.get("padding_mask", row["token_ids"]))
    batches = _in_graph(segments, _length_graph(preprocessor.tokenizer, count))
    lengths = np.concatenate([batch["length"] for batch in batches])
    return int(np.count_nonzero(lengths + special > config.sequence_length))
