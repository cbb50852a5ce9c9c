"""The modality of texts and pairs of texts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import TextConfig
from kerasft.dataset_check import TABLE_EXTENSIONS
from kerasft.errors import DataError, SettingError, read_all
from kerasft.formatting import counted, is_blank
from kerasft.modalities.base import Modality
from kerasft.modalities.dataset_features import DatasetFeatures
from kerasft.modalities.excerpts import text_excerpt
from kerasft.modalities.input_types import (
    FindColumn,
    Input,
    InputAudit,
    InputReaders,
    Serving,
)
from kerasft.modalities.text_start import choose_feature_norm, choose_head_start
from kerasft.modalities.texts_alike import texts_alike
from kerasft.paths import expanded
from kerasft.presets.pair_mode import choose_pair_mode, has_towers
from kerasft.tasks.label_cells import Table

# Features that come first in a pair of texts, regardless of alphabetical order.
_FIRST_OF_PAIR = ("premise", "question", "query", "sentence")

_IMAGE_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class Texts(Modality):
    """One text or pair of texts per example."""

    name = "texts"
    config_class = TextConfig
    column = "text_column"
    column_names = (
        "text", "sentence", "content", "message", "review", "question", "title", "document", "body",
    )  # fmt: skip
    pair_column = "text_pair_column"
    builtin = ("tickets",)
    length_setting = "sequence_length"
    serving_imports = ("tensorflow_text",)
    prepared_by_preset = True

    def find_columns(self, config: Any, find: FindColumn) -> list[tuple[str, str]]:
        found = super().find_columns(config, find)
        if config.dataset.text_pair is not None:
            found.append((self.pair_column, find(self.pair_column, (), self.looks_like_inputs)))
        return found

    def read_rows(self, table: Table, columns: Sequence[str]) -> list[Any]:
        def read(row: int) -> str | tuple[str, ...]:
            return _one_or_pair([_text_cell(table, column, row) for column in columns])

        return read_all(read, range(table.num_rows))

    def find_features(self, config: Any, features: DatasetFeatures) -> tuple[str, ...]:
        import tensorflow_datasets as tfds

        first = features.named(config, self.column)
        second = features.named(config, self.pair_column)
        texts = features.of_kind(tfds.features.Text)
        for named in (first, second):
            if named is not None and named not in texts:
                raise DataError(
                    f"The feature {named!r} of tfds:{features.dataset} is not a text. Name a text "
                    "feature."
                )
        if first is not None:
            return (first,) if second is None else (first, second)
        label = config.label_column
        # Two texts without supervised keys, as in GLUE, are a pair.
        free = sorted((t for t in texts if t != label), key=lambda t: (t not in _FIRST_OF_PAIR, t))
        found = [key for key in features.supervised[:1] if key in texts] or free
        if not found or len(found) > 2:
            raise DataError(
                f"tfds:{features.dataset} has {len(found)} text features; its features are: "
                f"{', '.join(features.by_name)}. Name the text with --text-column (and "
                "--text-pair-column), or use a recipe for images."
            )
        return tuple(found)

    def read_features(self, values: Sequence[Any]) -> str | tuple[str, ...]:
        return _one_or_pair([str(value.decode("utf-8")) for value in values])

    def check_inputs(self, inputs: Sequence[Any], where: str, *, pairs: bool) -> None:
        if len(inputs) and isinstance(inputs[0], tuple) != pairs:
            raise DataError(
                f"The run reads pairs of texts, but {where} has one text per row. Give a table "
                "with both columns of the training data, or a .txt file with tab-separated pairs."
                if pairs
                else f"The run reads single texts, but {where} has pairs. Give one text per row."
            )

    def check_path(self, item: str) -> None:
        _existing_file(item)

    def read_input(self, item: str, readers: InputReaders, *, pairs: bool) -> Iterator[Input]:
        path = _existing_file(item)
        if path is None:
            yield Input(_text(item, "The input", pairs), item)
        elif path.suffix.lower() == ".txt":
            read_line = functools.partial(self.read_line, readers=readers, pairs=pairs)
            yield from readers.lines(path, read_line)
        else:
            yield from readers.table(path)

    def check_value(self, value: Any, origin: str, *, pairs: bool) -> Any:
        texts = tuple(value) if isinstance(value, (list, tuple)) else ()
        if pairs and len(texts) == 2 and all(isinstance(t, str) and not is_blank(t) for t in texts):
            return texts
        expected = "a pair of texts" if pairs else "a text"
        raise DataError(f"{origin} must be {expected}. Received: {value!r:.80}.")

    def read_line(
        self, line: str, origin: str, readers: InputReaders, *, pairs: bool
    ) -> Iterator[Input]:
        yield Input(_text(line, origin, pairs), line)

    def settle(self, config: Any) -> Any:
        config = dataclasses.replace(config, feature_norm=choose_feature_norm(config))
        paired = config.text_pair_column is not None
        return dataclasses.replace(config, pair_mode=choose_pair_mode(config)) if paired else config

    def prepare(self, config: Any, examples: Any) -> Any:
        from kerasft.modalities.tokenization import prepare_texts

        return prepare_texts(config, examples)

    def prepared_bytes(self, config: Any, count: int) -> int:
        # Tokens, mask and segments as int32, of each tower.
        return int(count * config.sequence_length * 3 * 4 * (1 + has_towers(config)))

    def preparation(self, config: Any) -> dict[str, Any]:
        import importlib.metadata

        from kerasft.presets.tokenizers import tokenizer_fingerprint

        names = ("keras-hub", "tensorflow-text")
        versions = {name: importlib.metadata.version(name) for name in names}
        towers = {"pair_mode": "towers"} if has_towers(config) else {}
        return {**versions, **towers, "tokenizer": tokenizer_fingerprint(config)}

    def count_truncated(self, config: Any, examples: Any, x: Any) -> int:
        from kerasft.modalities.tokenization import count_truncated

        return count_truncated(config, examples, x)

    def audit(self, config: Any, parts: Sequence[Any], arrays: Sequence[Any] | None) -> InputAudit:
        return InputAudit([], texts_alike([text for part in parts for text in part.inputs]))

    def few_examples_note(self, config: Any, each: float) -> list[str]:
        """Return advice measured on Banking77 with MiniLM; other datasets may differ."""
        text = (
            f"The training split has about {counted(round(each), 'text')} per class. Training "
            "only the top block is then usually as accurate, and faster: --trainable-blocks 1 "
            "--epochs 8 --patience 0."
        )
        if config.feature_norm == "none":
            text += (
                " For a sentence encoder and one class per text, add --head-start auto "
                "--feature-norm auto --head-epochs 1."
            )
        return [text]

    def example(self, config: Any, *, pairs: bool = False) -> str | tuple[str, str]:
        text = "An example of a text."
        return (text, "And a second one.") if pairs else text

    def excerpt(self, item: Any, x: Any, index: int) -> dict[str, str]:
        return text_excerpt(item)

    def typed_example(self, *, pairs: bool) -> str:
        return r"$'a text\tthe second text'" if pairs else "'a text'"

    def features(self, backbone: Any, config: Any) -> tuple[Any, Any]:
        from kerasft.modalities.text_features import text_features

        return text_features(backbone, config)

    def head_start(self, config: Any) -> str:
        return choose_head_start(config)

    def feature_norm(self, config: Any) -> str:
        return choose_feature_norm(config)

    def pooling(self, backbone: Any, config: Any) -> str:
        from kerasft.modalities.text_features import text_pooling

        return text_pooling(backbone, config)

    def served_examples(self, *, pairs: bool) -> list[str]:
        return ["'a text'", "'the second text'"][: 1 + pairs]

    def serving(self, config: Any, *, pairs: bool) -> Serving:
        from kerasft.modalities.text_serving import text_serving

        return text_serving(config, pairs=pairs)

    def raw_inputs(self, item: Any, origin: str) -> tuple[Any, ...]:
        return item if isinstance(item, tuple) else (item,)

    def save_preprocessor(self, config: Any, model: Any, backbone: Any, folder: Path) -> None:
        from kerasft.presets.tokenizers import load_preprocessor

        load_preprocessor(config).save_to_preset(str(folder))

    def save_for_transformers(self, config: Any, model: Any, folder: Path) -> None:
        from kerasft.modalities.for_transformers import write_tokenizer

        if has_towers(config):
            raise SettingError(
                "transformers has no classifier of pairs in two towers. Use --format saved_model, "
                "or fit with --pair-mode cross."
            )
        write_tokenizer(config, model, folder)


def _one_or_pair(texts: list[str]) -> str | tuple[str, ...]:
    return texts[0] if len(texts) == 1 else tuple(texts)


def _text_cell(table: Table, column: str, row: int) -> str:
    text = table.cell(column, row)
    if text is None:
        raise DataError(
            f"{table.subject(row)} has no text in column {column!r}. Fill it in or delete the row."
        )
    if not isinstance(text, str):
        raise DataError(
            f"{table.subject(row)} has {text!r:.80} in column {column!r}, which must be text. Name "
            "the text column with --text-column."
        )
    return text


def _existing_file(item: str) -> Path | None:
    """Return the path in an input, or None if the input is a text.

    Raises:
        DataError: The input is a folder, or a file that cannot be read.
    """
    if _is(item, Path.is_dir):
        raise DataError(
            f"The run cannot read the folder {item!r}. Give texts, tables or .txt files."
        )
    suffix = Path(item).suffix.lower() if len(item) < 1000 and "\n" not in item else ""
    readable = suffix in (*TABLE_EXTENSIONS, ".txt")
    is_file = _is(item, Path.is_file)
    named_as_file = readable or suffix in _IMAGE_EXTENSIONS
    if not is_file and (not named_as_file or len(item.split()) > 1):
        return None
    if not readable or not is_file:
        what = f"The run cannot read the file {item!r}" if is_file else f"File {item!r} not found"
        raise DataError(f"{what}. Give texts, tables or .txt files.")
    return expanded(item)


def _is(item: str, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(expanded(item))
    except OSError:  # too long for a path
        return False


def _text(text: str, origin: str, pairs: bool) -> str | tuple[str, str]:
    if is_blank(text):
        raise DataError(f"{origin} is empty. Give a text.")
    if not pairs:
        return text
    first, tab, second = text.partition("\t")
    if not tab or is_blank(first) or is_blank(second):
        raise DataError(f"{origin} must be two tab-separated texts. Received: {text!r:.80}.")
    return first, second
