"""Attributes that kerasft sets on objects of Keras and KerasHub: their one home.

| attribute | set on | meaning |
|---|---|---|
| `depth_blocks` | trunk of a backbone | its blocks, the lowest first (`models.blocks`) |
| `source` | trunk of a backbone | the backbone that it was taken from (`models.blocks`) |
| `functional_form` | backbone | its graph with one layer per block, and these layers |
| `preset_drop_rate` | layer that drops paths | its drop rate in the preset (`models.adaptation`) |
| `trained_drop_rate` | layer of a frozen block | its drop rate once it is trained again |
| `rate_scale` | variable | its share of the learning rate, 1 by default (layer decay) |
| `kerasft_mark` | operation | a number of its own where `get_config` fails (`frozen`) |

No other module reads or sets them. Keras does not save them. Besides them, `models.einsum_dense`
replaces the method `call` of some layers.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from kerasft.models.blocks import Block

_marks = itertools.count()


def get_blocks(model: Any) -> tuple[Block, ...]:
    """Return the blocks attached to a model, empty where it has none."""
    return tuple(getattr(model, "depth_blocks", None) or ())


def get_source(trunk: keras.Model) -> keras.Model:
    """Return the backbone that a trunk was taken from; any other model is returned as it is."""
    return getattr(trunk, "source", trunk)


def annotate_trunk(trunk: Any, blocks: tuple[Block, ...], source: keras.Model) -> None:
    """Attach its blocks and its backbone to a trunk."""
    trunk.depth_blocks = blocks
    # Past Keras' tracking: as a tracked attribute its unused layers would count as the trunk's.
    object.__setattr__(trunk, "source", source)


def get_functional_form(backbone: Any) -> tuple[keras.Model, list[Any]] | None:
    """Return the graph of a backbone and the layers that are its blocks, None before it is set."""
    return getattr(backbone, "functional_form", None)


def set_functional_form(backbone: Any, form: tuple[keras.Model, list[Any]]) -> None:
    """Store the graph of a backbone and the layers that are its blocks."""
    # Past Keras' tracking: as a tracked attribute its layers would count twice.
    object.__setattr__(backbone, "functional_form", form)


def keep_preset_drop_rate(layer: Any, rate: float) -> float:
    """Store the drop rate that a layer has in its preset; return the one stored first."""
    if not hasattr(layer, "preset_drop_rate"):  # a cached backbone is adapted several times
        layer.preset_drop_rate = rate
    return layer.preset_drop_rate


def set_trained_drop_rate(layer: Any, rate: float) -> None:
    """Store the drop rate that a frozen layer has once it is trained again."""
    layer.trained_drop_rate = rate


def pop_trained_drop_rate(layer: Any) -> float | None:
    """Remove and return the drop rate stored by `set_trained_drop_rate`, None without one."""
    rate = getattr(layer, "trained_drop_rate", None)
    if rate is not None:
        del layer.trained_drop_rate
    return rate


def get_rate_scale(variable: Any) -> float:
    """Return the share of the learning rate that a variable is trained with."""
    return float(getattr(variable, "rate_scale", 1.0))


def set_rate_scale(variable: Any, scale: float) -> None:
    """Set the share of the learning rate that a variable is trained with, in (0, 1]."""
    variable.rate_scale = scale


def has_mark(operation: Any) -> bool:
    """Return whether an operation has got a mark."""
    return hasattr(operation, "kerasft_mark")


def get_mark(operation: Any) -> int:
    """Return the mark of an operation, unique in this process; it gets one on the first call."""
    if not has_mark(operation):
        operation.kerasft_mark = next(_marks)
    return operation.kerasft_mark
