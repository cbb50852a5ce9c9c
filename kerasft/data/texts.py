"""Texts brought to the arrays of tokens that a preset's model takes."""

from __future__ import annotations

import functools
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
    return _load(resolve(config.preset).location, config.sequence_length)


@functools.lru_cache(maxsize=8)
def _load(location: str, sequence_length: int) -> Any:
    import keras_hub

    try:
        return keras_hub.models.TextClassifierPreprocessor.from_preset(
            location, sequence_length=sequence_length
        )
    except (ValueError, FileNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingError(
            f"`preset` must be of a text model with a tokenizer. Received: {location} ({reason})."
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
    preprocessor = load_preprocessor(config)
    segments = _segments(examples)
    rows = [
        {name: np.asarray(values, np.int32) for name, values in batch.items()}
        for batch in _in_graph(segments, preprocessor)
    ]
    if not rows:
        raise DataError("There are no texts to prepare.")
    return trim_texts({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})


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


def _in_graph(segments: tuple[np.ndarray, ...], function: Any) -> Any:
    """Yields what `function` makes of batches of strings, as dictionaries of arrays."""
    import tensorflow as tf

    # Outside tf.data KerasHub takes its Python path, which is slower and not what is served.
    dataset = tf.data.Dataset.from_tensor_slices(segments).batch(_ROWS)
    dataset = dataset.map(
        lambda *texts: function(texts if len(texts) > 1 else texts[0]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.prefetch(1).as_numpy_iterator()


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
    special = _special_tokens(preprocessor, len(segments))

    def lengths(texts: Any) -> dict[str, Any]:
        import tensorflow as tf

        texts = texts if isinstance(texts, tuple) else (texts,)
        tokens = [preprocessor.tokenizer(text) for text in texts]
        return {"length": tf.add_n([token.row_lengths() for token in tokens])}

    counted = np.concatenate([batch["length"] for batch in _in_graph(segments, lengths)])
    return int(np.count_nonzero(counted + special > config.sequence_length))


def _special_tokens(preprocessor: Any, count: int) -> int:
    empty = tuple(np.array([b""], dtype=object) for _ in range(count))
    (row,) = list(_in_graph(empty, preprocessor))
    return int(np.count_nonzero(row.get("padding_mask", row["token_ids"])))
