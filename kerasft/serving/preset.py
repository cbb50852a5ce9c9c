"""Export of the fine-tuned backbone of a run as a KerasHub preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kerasft.config import ImageConfig, TextConfig
from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded
from kerasft.models.blocks import find_backbone


def write_preset(loaded: Loaded, folder: Path) -> None:
    """Write the backbone and its image converter or tokenizer in the layout of `from_preset`.

    Args:
        loaded: Run in memory.
        folder: Path of a folder that does not exist yet.

    Raises:
        SettingError: The backbone is not a KerasHub backbone, or has no image converter.
    """
    import keras_hub

    backbone = find_backbone(loaded.model)
    if not isinstance(backbone, keras_hub.models.Backbone):
        raise SettingError(
            f"The backbone is a {type(backbone).__name__}, but only KerasHub backbones can be "
            "exported as a preset. Use --format saved_model."
        )
    backbone.trainable = True  # a preset is not frozen, whatever the run trained
    backbone.save_to_preset(str(folder))
    for path in folder.glob("*.weights.h5"):
        _compress(path)
    if isinstance(loaded.config, ImageConfig):
        _image_converter(loaded.model, backbone, loaded.config).save_to_preset(str(folder))
    elif isinstance(loaded.config, TextConfig):
        from kerasft.presets.tokenizers import load_preprocessor

        load_preprocessor(loaded.config).save_to_preset(str(folder))


def _compress(path: Path) -> None:
    """Compress the weights in a file losslessly; Keras can read it as before."""
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
    """Return the family's image converter, with the resizing and scaling of the run."""
    import keras_hub

    kinds = [
        kind
        for name in dir(keras_hub.layers)
        if name.endswith("ImageConverter")
        and getattr(kind := getattr(keras_hub.layers, name), "backbone_cls", None) is type(backbone)
    ]
    if not kinds:
        raise SettingError(
            f"KerasHub has no image converter for {type(backbone).__name__}. Use --format "
            "saved_model."
        )
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
