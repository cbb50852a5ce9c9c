"""Fine-tuning methods for trained blocks: LoRA, penalties, layer decay, stochastic depth.

Each method is a setting, and they compose; `kerasft.config` refuses combinations that conflict.
`adapt` is called once, when a backbone becomes part of a model.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.models.blocks import Block, find_blocks, flatten_layers, trunk
from kerasft.models.freezing import drop_rate_name, set_trainable
from kerasft.models.keras_attributes import get_source, keep_preset_drop_rate, set_rate_scale
from kerasft.models.lora import add_adapters
from kerasft.models.mutable_scalars import MutableL1L2, MutableScalar

# KerasHub families with stochastic depth.
_WITH_DEPTH = ("EfficientNet", "SwinTransformer", "MiT")
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def adapted_trunk(backbone: keras.Model, output: Any, config: Config) -> keras.Model:
    """Return the part of a backbone up to an output, with the settings of a config applied.

    Args:
        backbone: Backbone from `load_backbone`, frozen by depth.
        output: Output tensor of its graph.
        config: Config; see `adapt`.

    Raises:
        SettingError: A setting does not apply to the family.
    """
    part = trunk(backbone, output)
    adapt(part, config)
    return part


def adapt(part: keras.Model, config: Config) -> None:
    """Apply the settings of a config to the trained blocks of a backbone.

    Args:
        part: Trunk of a backbone (`blocks.trunk`), frozen by depth.
        config: Config with lora_rank, freeze_embeddings, stochastic_depth, backbone_l1,
            backbone_l2, pretrained_l2 and layer_decay.

    Raises:
        SettingError: A setting does not apply to the family.
    """
    if getattr(config, "freeze_embeddings", False):
        freeze_embeddings(part)
    set_stochastic_depth(part, config.stochastic_depth)
    if config.lora_rank:
        add_adapters(part, config.lora_rank)
    penalize(part, config)
    scale_rates(part, config.layer_decay)


def freeze_embeddings(part: keras.Model) -> None:
    """Freeze the embeddings of tokens and positions, most weights of small text models.

    The rows of rare words get a gradient in few batches and hardly improve on a small dataset.
    """
    for layer in _layers(find_blocks(part)):
        if type(layer).__name__.endswith(("Embedding", "Embeddings")):
            set_trainable(layer, False)


def set_stochastic_depth(part: keras.Model, largest: float | None) -> None:
    """Set the drop rates of the residual paths of trained blocks (stochastic depth).

    They rise linearly with depth to the largest (Huang et al. 2016, arXiv 1603.09382). Paths of
    frozen blocks are never dropped.

    Args:
        part: Trunk of a backbone, frozen by depth.
        largest: Drop rate of the top path, in [0, 1); None keeps those of the preset.

    Raises:
        SettingError: No block has layers for stochastic depth.
    """
    blocks = find_blocks(part)
    paths = [layer for layer in _layers(blocks) if _drops_paths(layer)]
    if not paths and largest:
        kind = type(get_source(part)).__name__
        made = kind.startswith(_WITH_DEPTH)
        raise SettingError(
            f"`stochastic_depth` needs a preset with stochastic depth. Received: a preset of "
            f"{kind} with a rate of 0 in its config.json."
            if made
            else "`stochastic_depth` needs a family with stochastic depth: "
            f"EfficientNet, Swin or MiT. Received: {kind}."
        )
    trained = {id(x) for x in _layers([b for b in blocks if b.trained_parameters])}
    for index, layer in enumerate(paths, 1):
        if id(layer) not in trained:
            continue
        name = drop_rate_name(layer)
        of_preset = keep_preset_drop_rate(layer, getattr(layer, name))
        setattr(layer, name, of_preset if largest is None else largest * index / len(paths))


def _drops_paths(layer: Any) -> bool:
    """Return whether a layer drops residual paths, including Dropout of whole examples."""
    if isinstance(layer, keras.layers.Dropout):
        return bool(layer.noise_shape and set(layer.noise_shape[1:]) == {1})
    # Not DINOV2DropPath, which fails in KerasHub 0.32 if the batch size is unknown in training.
    return type(layer).__name__ in ("DropPath", "StochasticDepth")


def penalize(part: keras.Model, config: Config) -> None:
    """Set the L1, L2 and L2-SP penalties on the kernels of a backbone.

    Keras applies them only to trainable kernels, and does not save them.
    """
    anchored = config.pretrained_l2 > 0
    wanted = anchored or config.backbone_l1 or config.backbone_l2
    shared = MutableL1L2(config.backbone_l1, config.backbone_l2) if wanted else None
    for layer in _layers(find_blocks(part)):
        for variable in layer.weights:
            if variable.name in _KERNELS:
                near = anchored and variable.trainable
                variable.regularizer = NearPretrained(config, variable) if near else shared


class NearPretrained(MutableL1L2):
    """L1 and L2 penalty with L2-SP: the squared distance of a kernel from its pretrained values.

    L2-SP is from Li, Grandvalet and Davoine 2018 (arXiv 1802.01483), who recommend 0.01 to 1 (of
    half the squares). Use it instead of weight decay.

    Args:
        config: Config with the factors backbone_l1, backbone_l2 and pretrained_l2.
        kernel: Kernel with its pretrained values.
    """

    scalars = (*MutableL1L2.scalars, "distance")

    def __init__(self, config: Config, kernel: Any) -> None:
        super().__init__(config.backbone_l1, config.backbone_l2)
        self.distance = MutableScalar(config.pretrained_l2)
        values = np.array(keras.ops.convert_to_numpy(kernel), "float32")
        self.pretrained = keras.Variable(values, trainable=False)

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a kernel."""
        distance = keras.ops.sum(keras.ops.square(x - keras.ops.cast(self.pretrained, x.dtype)))
        return super().__call__(x) + self.distance.read(x.dtype) * distance


def scale_rates(part: keras.Model, decay: float) -> None:
    """Set the learning-rate factor of each weight (layer-wise learning-rate decay).

    It is 1 for the output layer, `decay` for the top block, `decay` squared for the next, ...
    (Howard and Ruder 2018, arXiv 1801.06146; also used by BEiT and ELECTRA).
    """
    for depth, block in enumerate(reversed(find_blocks(part)), 1):
        for layer in block.layers:
            for variable in layer.weights:
                set_rate_scale(variable, decay**depth)


def _layers(blocks: Any) -> list[Any]:
    found: list[Block] = list(blocks)
    return [inner for b in found for layer in b.layers for inner in flatten_layers(layer)]
