"""The tuned backbone of a run as a KerasHub preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kerasft.config import ImageConfig, TextConfig
from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded
from kerasft.models.blocks import find_backbone


def write_preset(loaded: Loaded, folder: Path) -> None:
    """Write backbone, and its image converter or tokenizer, as `from_preset` reads them.

    Args:
        loaded: A run in memory.
        folder: A folder that does not exist yet.

    Raises:
        SettingError: The backbone is not one of KerasHub's.
    """
    import keras_hub

    backbone = find_backbone(loaded.model)
    if not isinstance(backbone, keras_hub.models.Backbone):
        raise SettingError(
            "Only KerasHub backbones can be saved as a preset. "
            f"Received: {type(backbone).__name__}."
        )
    backbone.trainable = True  # the freezing belongs to the run, not to the preset
    backbone.save_to_preset(str(folder))
    for path in folder.glob("*.weights.h5"):
        _compress(path)
    if isinstance(loaded.config, ImageConfig):
        _image_converter(loaded.model, backbone, loaded.config).save_to_preset(str(folder))
    elif isinstance(loaded.config, TextConfig):
        from kerasft.presets.tokenizers import load_preprocessor

        load_preprocessor(loaded.config).save_to_preset(str(folder))


def _compress(path: Path) -> None:
    """Rewrite a weights file with its numbers compressed, without loss; Keras reads it as ever."""
    import h5py

    compressed = path.with_suffix(".compressed")
    with h5py.File(path) as source, h5py.File(compressed, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                options = {"compression": "gzip", "shuffle": True} if item.size > 1000 else {}
                made = target.create_dataset(name, data=item[()], **options)
            else:
                made = target.require_group(name)
            made.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    compressed.replace(path)


def _image_converter(model: keras.Model, backbone: keras.Model, config: ImageConfig) -> keras.Layer:
    """Return the family's image converter that prepares pixels as the run did."""
    import keras_hub

    kinds = [
        kind
        for name in dir(keras_hub.layers)
        if name.endswith("ImageConverter")
        and getattr(kind := getattr(keras_hub.layers, name), "backbone_cls", None) is type(backbone)
    ]
    if not kinds:
        raise SettingError(f"KerasHub has no image converter for {type(backbone).__name__}.")
    scaling = model.get_layer("scaling")
    size = (config.image_size, config.image_size)
    return kinds[0](
        image_size=size,
        scale=scaling.scale,
        offset=scaling.offset,
        crop_to_aspect_ratio=config.resize == "crop",
        pad_to_aspect_ratio=config.resize == "pad",
        interpolation="bilinear",
        antialias=True,
    )
