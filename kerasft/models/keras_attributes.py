"""Attributes that kerasft sets on objects of Keras and KerasHub.

| attribute | set on | meaning |
|---|---|---|
| `depth_blocks` | trunk of a backbone | its blocks, lowest first (`models.blocks`) |
| `source` | trunk of a backbone | the backbone that it was taken from (`models.blocks`) |
| `functional_form` | backbone | its graph with one layer per block, and these layers |
| `preset_drop_rate` | layer that drops paths | its drop rate in the preset (`models.adaptation`) |
| `trained_drop_rate` | layer of a frozen block | its drop rate after unfreezing |
| `rate_scale` | variable | its learning-rate factor, 1 by default (layer decay) |
| `kerasft_mark` | operation | a unique number if `get_config` fails (`frozen`) |

No other module reads or sets them, and Keras does not save them. Other modules set only public
attributes that Keras or KerasHub defines: `trainable` (freezing), the drop rates of layers
(freezing, adaptation), `regularizer` of variables (adaptation), `supports_jit` of layers
(augmentation), `learning_rate` of optimizers and `stop_training` of models (`training`). The
exceptions are `models.fast_layers`, which replaces the method `call` of some layers, `train_step`
and `test_step` of models, and reads the stored `_value` of variables, `training.average_weights`,
which exchanges weights and the averages of an optimizer (`_model_variables_moving_average`), and
`distribution`, which moves variables (`_layout`) and models (`_distribute_strategy`) to several
devices and back.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from kerasft.models.blocks import Block

_marks = itertools.count()


def get_blocks(model: Any) -> tuple[Block, ...]:
    """Return the blocks attached to a model, or an empty tuple."""
    return tuple(getattr(model, "depth_blocks", None) or ())


def get_source(trunk: keras.Model) -> keras.Model:
    """Return the backbone that a trunk was taken from; other models are returned unchanged."""
    return getattr(trunk, "source", trunk)


def annotate_trunk(trunk: Any, blocks: tuple[Block, ...], source: keras.Model) -> None:
    """Attach blocks and backbone to a trunk."""
    trunk.depth_blocks = blocks
    # Bypass Keras' tracking, which would count unused layers of the backbone in the trunk.
    object.__setattr__(trunk, "source", source)


def get_functional_form(backbone: Any) -> tuple[keras.Model, list[Any]] | None:
    """Return the stored graph and block layers of a backbone, or None."""
    return getattr(backbone, "functional_form", None)


def set_functional_form(backbone: Any, form: tuple[keras.Model, list[Any]]) -> None:
    """Store the graph and the block layers of a backbone."""
    # Bypass Keras' tracking, which would count the layers twice.
    object.__setattr__(backbone, "functional_form", form)


def keep_preset_drop_rate(layer: Any, rate: float) -> float:
    """Store the preset drop rate of a layer once, and return the stored rate."""
    if not hasattr(layer, "preset_drop_rate"):  # a cached backbone is adapted several times
        layer.preset_drop_rate = rate
    return layer.preset_drop_rate


def set_trained_drop_rate(layer: Any, rate: float) -> None:
    """Store the drop rate of a frozen layer, to restore it after unfreezing."""
    layer.trained_drop_rate = rate


def pop_trained_drop_rate(layer: Any) -> float | None:
    """Remove and return the drop rate stored by `set_trained_drop_rate`, or None."""
    rate = getattr(layer, "trained_drop_rate", None)
    if rate is not None:
        del layer.trained_drop_rate
    return rate


def get_rate_scale(variable: Any) -> float:
    """Return the learning-rate factor of a variable."""
    return float(getattr(variable, "rate_scale", 1.0))


def set_rate_scale(variable: Any, scale: float) -> None:
    """Set the learning-rate factor of a variable, in (0, 1]."""
    variable.rate_scale = scale


def has_mark(operation: Any) -> bool:
    """Return whether an operation has a mark."""
    return hasattr(operation, "kerasft_mark")


def get_mark(operation: Any) -> int:
    """Return the mark of an operation, unique in this process and created on the first call."""
    if not has_mark(operation):
        operation.kerasft_mark = next(_marks)
    return operation.kerasft_mark
