"""Tokenize texts into the input arrays of a preset's model."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasft.config import TextConfig
from kerasft.display import progress
from kerasft.errors import DataError, read_all
from kerasft.modalities.padding import trim_texts
from kerasft.presets.tokenizers import length_graph, load_preprocessor, token_graph
from kerasft.threads import in_threads

_ROWS = 256  # texts tokenized at once


def prepare_texts(config: TextConfig, examples: Any) -> dict[str, np.ndarray]:
    """Tokenize all texts in batches, in the TensorFlow graph of a served model.

    Args:
        config: Config with `preset` and `sequence_length`.
        examples: Texts or pairs of texts (`kerasft.Examples`).

    Returns:
        int32 arrays of shape (n, length), named as by the preprocessor: `token_ids`,
        `padding_mask` and, for some families, `segment_ids`. The length is that of the longest
        text, rounded up to a multiple of 8, and at most `sequence_length`.

    Raises:
        DataError: An input is not text, or there are no texts.
    """
    segments = _segments(examples)
    batches = _in_graph(segments, token_graph(load_preprocessor(config), len(segments)))
    if not batches:
        raise DataError("The examples contain no texts. Give at least one text.")
    x = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return trim_texts({name: values.astype(np.int32) for name, values in x.items()})


def _segments(examples: Any) -> tuple[np.ndarray, ...]:
    """Return one array of UTF-8 strings, or two arrays for pairs."""
    pairs = bool(examples.inputs) and isinstance(examples.inputs[0], tuple)

    def encode(index: int) -> list[bytes]:
        item, origin = examples.inputs[index], examples.origins[index]
        texts = item if isinstance(item, tuple) else (item,)
        if len(texts) != 1 + pairs or not all(isinstance(text, str) for text in texts):
            wanted = "a pair of texts" if pairs else "a text"
            raise DataError(f"{origin} must be {wanted}. Received: {item!r:.80}.")
        return [_to_bytes(text, origin) for text in texts]

    rows = read_all(encode, range(len(examples.inputs)))
    return tuple(np.array([row[n] for row in rows], dtype=object) for n in range(1 + pairs))


def _to_bytes(text: str, origin: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{origin} is not valid Unicode: it has a lone surrogate at position {error.start}. "
            "Correct or remove it."
        ) from error


def _in_graph(segments: tuple[np.ndarray, ...], graph: Any) -> list[dict[str, np.ndarray]]:
    """Return the outputs of a graph for batches of strings, run in parallel, in order."""
    starts = range(0, len(segments[0]), _ROWS)

    def run(start: int) -> dict[str, np.ndarray]:
        import tensorflow as tf

        batch = [tf.constant(column[start : start + _ROWS]) for column in segments]
        return {name: values.numpy() for name, values in graph(*batch).items()}

    found, total = [], len(segments[0])
    with progress("tokenizing texts", total) as bar:
        for start, outputs in zip(starts, in_threads(run, starts), strict=True):
            found.append(outputs)
            bar.advance(min(_ROWS, total - start))
    return found


def count_truncated(config: TextConfig, examples: Any, x: dict[str, np.ndarray]) -> int:
    """Return the number of texts that were truncated at `sequence_length`.

    Only texts without padding can have been truncated. They are tokenized again without a limit;
    their length includes the special tokens of the family.

    Args:
        config: Config with `preset` and `sequence_length`.
        examples: Texts or pairs of texts.
        x: Arrays from `prepare_texts` for the same examples, shape (n, length).
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
