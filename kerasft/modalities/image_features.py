"""Input, augmentation, scaling and pooling around an image backbone."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.config import ImageConfig
from kerasft.errors import SettingError
from kerasft.models.adaptation import adapted_trunk
from kerasft.models.augmentation import augment
from kerasft.models.backbone_families import functional_graph, has_class_token
from kerasft.presets.pixel_scaling import DEFAULT_SCALING, pixel_scaling


def image_features(backbone: keras.Model, config: ImageConfig) -> tuple[Any, Any]:
    """Connect an image backbone to its input: augmentation, scaling, backbone, pooling.

    Args:
        backbone: Backbone from `load_backbone`.
        config: Config with image_size, augmentation, horizontal_flip, random_erasing, preset,
            pooling, and the settings of `adaptation.adapt`.

    Returns:
        (inputs, features): pixels 0 to 255 of shape (batch, image_size, image_size, 3), and one
        float32 vector per image.

    Raises:
        SettingError: The backbone is not for images, or needs another image size.
    """
    size = config.image_size
    graph = functional_graph(backbone)
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        raise SettingError(
            f"`preset` must be of an image model. Received: {config.preset}, whose inputs are "
            f"{', '.join(tensor.name for tensor in graph.inputs)}."
        )
    wanted = graph.inputs[0].shape[1]
    if wanted not in (None, size):
        raise SettingError(
            f"`image_size` must be {wanted} for {type(backbone).__name__} of {config.preset}. "
            f"Received: image_size={size}."
        )
    inputs = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = augment(
        inputs,
        strength=config.augmentation,
        horizontal_flip=config.horizontal_flip,
        random_erasing=config.random_erasing,
    )
    scale, offset = pixel_scaling(config.preset) if config.preset else DEFAULT_SCALING
    x = keras.layers.Rescaling(scale, offset, name="scaling")(x)
    x = adapted_trunk(backbone, graph.output, config)(x)
    return inputs, pool_positions(x, image_pooling(backbone, config))


def image_pooling(backbone: keras.Model, config: ImageConfig) -> str:
    """Return the pooling of an image backbone: `auto` is that of its family."""
    if config.pooling != "auto":
        return config.pooling
    return "first" if has_class_token(backbone) else "average"


def pool_positions(x: Any, pooling: str) -> Any:
    """Pool the image features of a backbone to one vector per image.

    Args:
        x: Feature map of shape (batch, height, width, channels), or tokens of shape (batch,
            positions, width).
        pooling: Pooling method: `average`, `max`, or `first` (the class token of a transformer).

    Returns:
        Shape (batch, channels), float32.

    Raises:
        SettingError: `pooling` is `first` for a feature map.
    """
    rank = len(x.shape)
    if rank == 2:  # already pooled by the backbone
        return keras.ops.cast(x, "float32")
    if pooling == "first":
        if rank != 3:
            raise SettingError(
                "`pooling` is first, but the backbone is not a transformer with a class token. Use "
                "--pooling average."
            )
        return keras.ops.cast(x[:, 0], "float32")
    kind = "Average" if pooling == "average" else "Max"
    pool = getattr(keras.layers, f"Global{kind}Pooling{rank - 2}D")
    return pool(name="pooling", dtype="float32")(x)
