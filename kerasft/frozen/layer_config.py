"""What tells two layers of one kind apart, so that no work is shared that is not the same."""

from __future__ import annotations

import itertools
from typing import Any

_MARKS = itertools.count()


def layer_config(operation: Any) -> dict[str, Any]:
    """Return what an operation was made with, but its name.

    Some cannot tell: layers of a user's own without `get_config`, and some of KerasHub's ViT,
    DINOv2, Swin and Llama, whose `get_config` fails. Such a one gets a mark that no other has, so
    that it is equal to itself alone.

    Args:
        operation: A layer, or another operation of a graph.

    Example:
        >>> settings_of(keras.layers.Dropout(0.5))["rate"]
        0.5
    """
    try:
        config = dict(operation.get_config())
    except Exception:  # of any kind, as libraries and users write it
        if not hasattr(operation, "kerasft_mark"):
            operation.kerasft_mark = next(_MARKS)
        return {"mark": operation.kerasft_mark}
    config.pop("name", None)
    return config
