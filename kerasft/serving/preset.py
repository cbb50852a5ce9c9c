"""Export of the fine-tuned backbone of a run as a KerasHub preset."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.models.blocks import find_backbone

_PER_VARIABLE = 8_192  # bytes of HDF5 for its groups and attributes, in both files


def write_preset(loaded: Loaded, folder: Path) -> None:
    """Write the backbone and its image converter or tokenizer in the layout of `from_preset`.

    Args:
        loaded: Run in memory.
        folder: Path of a folder that does not exist yet.

    Raises:
        SettingError: The backbone is not a KerasHub backbone, or has no image converter.
        OSError: The disk is full.
    """
    import keras_hub

    backbone = find_backbone(loaded.model)
    if not isinstance(backbone, keras_hub.models.Backbone):
        raise SettingError(
            f"The backbone is a {type(backbone).__name__}, but only KerasHub backbones can be "
            "exported as a preset. Use --format saved_model."
        )
    _check_space(folder.parent, backbone)
    backbone.trainable = True  # a preset is not frozen, whatever the run trained
    backbone.save_to_preset(str(folder))
    for path in folder.glob("*.weights.h5"):
        _compress(path)
    modality = modality_of(loaded.config)
    modality.save_preprocessor(loaded.config, loaded.model, backbone, folder)


def _check_space(folder: Path, backbone: Any) -> None:
    """Reserve the space of a preset for a moment.

    After a write that fails, the HDF5 library ends the process by a segmentation fault.

    Raises:
        OSError: The disk is full, or the limit of file sizes is too low.
    """
    weights = sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in backbone.weights)
    # The file of Keras and the compressed one, with names and attributes of every variable.
    size = 2 * weights + _PER_VARIABLE * len(backbone.weights)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)


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
