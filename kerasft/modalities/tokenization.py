"""Tokenize texts into the input arrays of a preset's model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasft.arrays import allocate
from kerasft.config import TextConfig
from kerasft.display import progress
from kerasft.errors import DataError, read_all
from kerasft.modalities.padding import text_lengths, token_counts, trim_texts
from kerasft.presets.pair_mode import has_towers
from kerasft.presets.tokenizers import length_graph, load_preprocessor, token_graph
from kerasft.threads import in_threads

_ROWS = 256  # texts tokenized at once
_ADVICE = "use a smaller `sequence_length` or fewer examples"


def prepare_texts(config: TextConfig, examples: Any) -> dict[str, np.ndarray]:
    """Tokenize all texts in batches, in the TensorFlow graph of a served model.

    Args:
        config: Config with `preset` and `sequence_length`.
        examples: Texts or pairs of texts (`kerasft.Examples`).

    Returns:
        int32 arrays of shape (n, length), named as by the preprocessor: `token_ids`,
        `padding_mask` and, for some families, `segment_ids`. The length is that of the longest
        text, rounded up to a multiple of 8, and at most `sequence_length`. For
        `pair_mode=towers`, those of the second texts end in `_pair`.

    Raises:
        DataError: An input is not text, there are no texts, or two towers have single texts.
    """
    total = len(examples)
    if not total:
        raise DataError("The examples contain no texts. Give at least one text.")
    _check(examples)
    count = 1 + isinstance(examples.inputs[0], tuple)
    graph = token_graph(load_preprocessor(config), count, towers=_towers(config, count))
    x: dict[str, np.ndarray] = {}
    for start, batch in _in_graph(examples, graph, config.data_workers):
        for name, values in batch.items():
            if name not in x:
                shape, what = (total, *values.shape[1:]), f"tokens of {total:,} texts"
                x[name] = allocate(shape, np.dtype(np.int32), what, _ADVICE)
            x[name][start : start + len(values)] = values
    return trim_texts(x)


def _towers(config: TextConfig, count: int) -> bool:
    """Return whether each of `count` texts of an example has inputs of its own."""
    towers = has_towers(config)
    if towers and count == 1:
        raise DataError(
            "The examples are single texts, but pair_mode=towers reads pairs. Name both columns "
            "with --text-column and --text-pair-column."
        )
    return towers


def _check(examples: Any) -> None:
    """Raise DataError for all inputs that are no texts, or are not valid Unicode."""
    pairs = isinstance(examples.inputs[0], tuple)

    def check(index: int) -> None:
        item, origin = examples.inputs[index], examples.origins[index]
        texts = item if isinstance(item, tuple) else (item,)
        if len(texts) != 1 + pairs or not all(isinstance(text, str) for text in texts):
            wanted = "a pair of texts" if pairs else "a text"
            raise DataError(f"{origin} must be {wanted}. Received: {item!r:.80}.")
        for text in texts:
            _to_bytes(text, origin)

    read_all(check, range(len(examples)))


def _to_bytes(text: str, origin: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{origin} is not valid Unicode: it has a lone surrogate at position {error.start}. "
            "Correct or remove it."
        ) from error


def _in_graph(
    examples: Any, graph: Any, workers: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield the outputs of a graph for batches of texts, each after the index of its first text."""
    starts, total = range(0, len(examples), _ROWS), len(examples)

    def run(start: int) -> dict[str, np.ndarray]:
        return _outputs(graph, examples.inputs[start : start + _ROWS])

    with progress("tokenizing texts", total) as bar:
        for start, outputs in zip(starts, in_threads(run, starts, workers), strict=True):
            yield start, outputs
            bar.advance(min(_ROWS, total - start))


def _outputs(graph: Any, texts: Sequence[str | tuple[str, ...]]) -> dict[str, np.ndarray]:
    """Return the outputs of a graph for texts, or for pairs of texts."""
    import tensorflow as tf

    rows = [text if isinstance(text, tuple) else (text,) for text in texts]
    columns = [
        tf.constant([text.encode("utf-8") for text in column]) for column in zip(*rows, strict=True)
    ]
    return {name: values.numpy() for name, values in graph(*columns).items()}


def count_truncated(config: TextConfig, examples: Any, x: dict[str, np.ndarray]) -> int:
    """Return the number of texts that were truncated at `sequence_length`.

    Only texts without padding can have been truncated. They are tokenized again without a limit;
    their length includes the special tokens of the family.

    Args:
        config: Config with `preset` and `sequence_length`.
        examples: Texts or pairs of texts.
        x: Arrays from `prepare_texts` for the same examples, shape (n, length).
    """
    width, lengths = x["token_ids"].shape[1], text_lengths(x)
    if width < config.sequence_length:
        return 0
    full = np.flatnonzero((token_counts(x["token_ids"]) if lengths is None else lengths) == width)
    if not len(full):
        return 0
    preprocessor, chosen = load_preprocessor(config), examples.select(full)
    empty = ("", "") if isinstance(chosen.inputs[0], tuple) else ("",)
    count = len(empty)
    towers = _towers(config, count)
    row = _outputs(token_graph(preprocessor, count, towers=towers), [empty])
    special = np.count_nonzero(row.get("padding_mask", row["token_ids"]))
    graph = length_graph(preprocessor.tokenizer, count, towers=towers)
    batches = _in_graph(chosen, graph, config.data_workers)
    lengths = np.concatenate([batch["length"] for _, batch in batches])
    return int(np.count_nonzero(lengths + special > config.sequence_length))
