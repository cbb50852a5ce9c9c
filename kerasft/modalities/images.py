"""The modality of images: files, bytes and arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasft.config import ImageConfig
from kerasft.dataset_check import TABLE_EXTENSIONS
from kerasft.errors import DataError, SettingError, read_all
from kerasft.in_memory import is_pixels
from kerasft.modalities.base import Modality
from kerasft.modalities.dataset_features import DatasetFeatures
from kerasft.modalities.excerpts import picture_excerpt
from kerasft.modalities.input_types import Input, InputAudit, InputReaders, Serving
from kerasft.paths import expanded
from kerasft.tasks import task_of
from kerasft.tasks.label_cells import Table

Stems = dict[Path, dict[str, list[Path]]]


class Images(Modality):
    """One image per example."""

    name = "images"
    config_class = ImageConfig
    column = "image_column"
    column_names = ("image", "path", "file", "filename", "filepath", "image_path", "photo")
    builtin = ("digits", "glyphs")
    class_folders = True
    part_size = 512  # of 224 by 224 pixels they take 77 MB

    def read_rows(self, table: Table, columns: Sequence[str]) -> list[Any]:
        stems: Stems = {}
        return read_all(lambda row: _image(table, columns[0], row, stems), range(table.num_rows))

    def looks_like_inputs(self, cells: list[Any]) -> bool:
        from kerasft.modalities.image_decoding import image_extensions

        def is_image(cell: Any) -> bool:
            named = isinstance(cell, (str, os.PathLike))
            return is_pixels(cell) or (named and Path(cell).suffix.lower() in image_extensions())

        return all(map(is_image, cells))

    def find_features(self, config: Any, features: DatasetFeatures) -> tuple[str, ...]:
        import tensorflow_datasets as tfds

        named = features.named(config, self.column)
        images = features.of_kind(tfds.features.Image)
        if named is not None and named not in images:
            raise DataError(
                f"The feature {named!r} of tfds:{features.dataset} is not an image. Set "
                "--image-column to one."
            )
        found = [named] if named else [k for k in features.supervised if k in images] or images
        if not found:
            raise DataError(
                f"tfds:{features.dataset} has no image features, only: "
                f"{', '.join(features.by_name)}. For texts, use a recipe for texts."
            )
        return (found[0],)

    def feature_decoders(self, inputs: Sequence[str]) -> dict[str, Any] | None:
        import tensorflow_datasets as tfds

        # Images are kept as encoded bytes, so that one decoder serves all sources.
        return {name: tfds.decode.SkipDecoding() for name in inputs}

    def read_features(self, values: Sequence[Any]) -> Any:
        return values[0]

    def check_path(self, item: str) -> None:
        path = expanded(item)
        if not path.is_dir() and not path.is_file():
            raise DataError(
                f"File or folder {item!r} not found. Give images, folders of images, or a table "
                "with an image column."
            )

    def read_input(self, item: str, readers: InputReaders, *, pairs: bool) -> Iterator[Input]:
        self.check_path(item)
        path = expanded(item)
        if path.is_dir():
            yield from readers.folder(item)
        elif path.suffix.lower() in TABLE_EXTENSIONS:
            yield from readers.table(path)
        else:
            yield Input(path, item)

    def check_value(self, value: Any, origin: str, *, pairs: bool) -> Any:
        if isinstance(value, bytes) or is_pixels(value):
            return value
        raise DataError(
            f"{origin} must be a path, the bytes of an image file, an image of Pillow or a uint8 "
            f"array. Received: {type(value).__name__}."
        )

    def prepare(self, config: Any, examples: Any) -> Any:
        from kerasft.modalities.image_decoding import prepare_images

        return prepare_images(config, examples)

    def prepared_bytes(self, config: Any, count: int) -> int:
        return int(count * config.image_size**2 * 3)

    def preparation(self, config: Any) -> dict[str, Any]:
        import importlib.metadata

        import keras

        names = ("keras", keras.backend.backend(), "pillow")
        settings = {"image_size": config.image_size, "resize": config.resize}
        return {**settings, **{name: importlib.metadata.version(name) for name in names}}

    def audit(self, config: Any, parts: Sequence[Any], arrays: Sequence[Any] | None) -> InputAudit:
        from kerasft.modalities.image_audit import audit_images

        return audit_images(config, parts, arrays)

    def example(self, config: Any, *, pairs: bool = False) -> Any:
        import numpy as np

        return np.full((config.image_size, config.image_size, 3), 128, np.uint8)

    def excerpt(self, item: Any, x: Any, index: int) -> dict[str, str]:
        return picture_excerpt(x[index])

    def typed_example(self, *, pairs: bool) -> str:
        return "image.png"

    def features(self, backbone: Any, config: Any) -> tuple[Any, Any]:
        from kerasft.modalities.image_features import image_features

        return image_features(backbone, config)

    def head_start(self, config: Any) -> str:
        chosen = config.head_start == "auto" and task_of(config.task).class_weight
        return "linear" if chosen else super().head_start(config)

    def pooling(self, backbone: Any, config: Any) -> str:
        from kerasft.modalities.image_features import image_pooling

        return image_pooling(backbone, config)

    def served_examples(self, *, pairs: bool) -> list[str]:
        return ["open('image.png', 'rb').read()"]

    def serving(self, config: Any, *, pairs: bool) -> Serving:
        import tensorflow as tf

        from kerasft.modalities.graph_decoding import decode_batch

        def prepare(bytes: Any) -> tuple[Any, Any]:
            return decode_batch(bytes, config.image_size, config.resize)

        return Serving([tf.TensorSpec([None], tf.string, "bytes")], prepare, [])

    def raw_inputs(self, item: Any, origin: str) -> tuple[Any, ...]:
        from kerasft.modalities.image_decoding import encoded_image

        return (encoded_image(item, origin),)

    def save_preprocessor(self, config: Any, model: Any, backbone: Any, folder: Path) -> None:
        scaling = model.get_layer("scaling")
        converter = _converter_class(backbone)(
            image_size=(config.image_size, config.image_size),
            scale=scaling.scale,
            offset=scaling.offset,
            crop_to_aspect_ratio=config.resize == "crop",
            pad_to_aspect_ratio=config.resize == "pad",
            interpolation="bilinear",
            antialias=True,
        )
        converter.save_to_preset(str(folder))

    def save_for_transformers(self, config: Any, model: Any, folder: Path) -> None:
        from kerasft.modalities.for_transformers import write_image_processor

        write_image_processor(config, model, folder)


def _image(table: Table, column: str, row: int, stems: Stems) -> Any:
    value = table.columns[column][row]
    if isinstance(value, dict):  # images in Parquet files of Hugging Face
        value = value.get("bytes") or value.get("path")
    if (isinstance(value, bytes) and value) or is_pixels(value):
        return value
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"{table.subject(row)} has no image in column {column!r}. Fill it in or delete the row."
        )
    path = table.path.parent / expanded(value.strip())
    if path.is_file():
        return path
    found = _with_extension(path, stems)
    if len(found) == 1:
        return found[0]
    why = f"{len(found)} images have that name" if found else "the file was not found"
    raise DataError(
        f"{table.subject(row)} names the image {value!r}, but {why}. Paths are relative to the "
        f"table's folder {table.path.parent}."
    )


def _with_extension(path: Path, stems: Stems) -> list[Path]:
    """Return the images whose path without extension is `path`; each folder is listed once."""
    from kerasft.modalities.image_decoding import image_extensions

    if path.parent not in stems:
        by_name: dict[str, list[Path]] = {}
        for other in path.parent.iterdir() if path.parent.is_dir() else ():
            if other.suffix.lower() in image_extensions() and other.is_file():
                by_name.setdefault(other.stem, []).append(other)
        stems[path.parent] = by_name
    return stems[path.parent].get(path.name, [])


def _converter_class(backbone: Any) -> Any:
    """Return the image converter class of a backbone's family in KerasHub.

    Raises:
        SettingError: The family has no image converter.
    """
    import keras_hub

    names = [name for name in dir(keras_hub.layers) if name.endswith("ImageConverter")]
    for name in names:
        kind = getattr(keras_hub.layers, name)
        if getattr(kind, "backbone_cls", None) is type(backbone):
            return kind
    raise SettingError(
        f"KerasHub has no image converter for {type(backbone).__name__}. Use --format saved_model."
    )
