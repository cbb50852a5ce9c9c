"""Texts brought to the arrays of tokens that a preset's model takes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from kerasft.config import TextConfig
from kerasft.errors import DataError
from kerasft.modalities.padding import trim_texts
from kerasft.presets.tokenizers import length_graph, load_preprocessor, token_graph

_ROWS = 256  # texts tokenized at once


def prepare_texts(config: TextConfig, examples: Any) -> dict[str, np.ndarray]:
    """Tokenize all texts, in batches and in TensorFlow's graph, as a served model does.

    Args:
        config: Its `preset` and `sequence_length` are used.
        examples: `kerasft.Examples` of texts, or pairs of texts.

    Returns:
        int32 arrays of shape (n, length) by the names of the preprocessor: `token_ids`,
        `padding_mask` and for some families `segment_ids`. The length is that of the longest
        text, rounded up to a multiple of 8, and at most `sequence_length`.

    Raises:
        DataError: An input is not text.
    """
    segments = _segments(examples)
    batches = _in_graph(segments, token_graph(load_preprocessor(config), len(segments)))
    if not batches:
        raise DataError("There are no texts to prepare.")
    x = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return trim_texts({name: values.astype(np.int32) for name, values in x.items()})


def _segments(examples: Any) -> tuple[np.ndarray, ...]:
    """Return one array of UTF-8 strings, or two for pairs."""
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
    """Return what a graph makes of batches of strings, several batches at a time, in order."""
    starts = range(0, len(segments[0]), _ROWS)

    def run(start: int) -> dict[str, np.ndarray]:
        import tensorflow as tf

        batch = [tf.constant(column[start : start + _ROWS]) for column in segments]
        return {name: values.numpy() for name, values in graph(*batch).items()}

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(run, starts))


def count_truncated(config: TextConfig, examples: Any, x: dict[str, np.ndarray]) -> int:
    """Return how many texts were cut at `sequence_length`.

    Only texts that fill the whole length can have been cut; those are tokenized once more, without
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
    (row,) = _in_graph(empty, token_graph(preprocessor, count))
    special = np.count_nonzero(row.get("padding_mask", row["token_ids"]))
    batches = _in_graph(segments, length_graph(preprocessor.tokenizer, count))
    lengths = np.concatenate([batch["length"] for batch in batches])
    return int(np.count_nonzero(lengths + special > config.sequence_length))
