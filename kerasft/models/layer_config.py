"""The configuration of a layer, which distinguishes layers of one class."""

from __future__ import annotations

from typing import Any

from kerasft.models.keras_attributes import get_mark


def layer_config(operation: Any) -> dict[str, Any]:
    """Return the configuration of an operation, without its name.

    `get_config` fails for some: custom layers without one, and some of KerasHub's ViT, DINOv2,
    Swin and Llama. Such an operation gets a unique mark, so that it equals itself alone.

    Args:
        operation: A layer, or another operation of a graph.

    Example:
        >>> layer_config(keras.layers.Dropout(0.5))["rate"]
        0.5
    """
    try:
        config = dict(operation.get_config())
    except Exception:  # of any kind, as libraries and users write it
        return {"mark": get_mark(operation)}
    config.pop("name", None)
    return config
