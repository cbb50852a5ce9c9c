"""Image families: ViT and ResNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.serving.huggingface.family import Arrays, Family, refuse


def _vit() -> dict[str, str]:
    block, name = r"vit_encoder/transformer_block_(\d+)/", "encoder.layer.{0}."
    return {
        "vit_patching_and_embedding": "embeddings",
        "vit_patching_and_embedding/patch_embedding": "embeddings.patch_embeddings.projection",
        "vit_patching_and_embedding/position_embedding": "embeddings.position_embeddings",
        block + "mha/(query|key|value)": name + "attention.attention.{1}",
        block + "mha/attention_output": name + "attention.output.dense",
        block + "ln_1": name + "layernorm_before",
        block + "ln_2": name + "layernorm_after",
        block + "mlp/dense_1": name + "intermediate.dense",
        block + "mlp/dense_2": name + "output.dense",
        "vit_encoder/ln": "layernorm",
    }


def _resnet() -> dict[str, str]:
    kinds = {"conv": "convolution", "bn": "normalization"}
    # The shortcut is number 0 in KerasHub; the layers of a block are numbered from 1.
    parts = {0: "shortcut", 1: "layer.0", 2: "layer.1", 3: "layer.2"}
    return {
        **{f"conv1_{short}": f"embedder.embedder.{kind}" for short, kind in kinds.items()},
        **{
            rf"stack(\d+)_block(\d+)_{number}_{short}": "encoder.stages.{0}.layers.{1}."
            f"{part}.{kind}"
            for number, part in parts.items()
            for short, kind in kinds.items()
        },
    }


def _vit_config(config: Mapping[str, Any]) -> dict[str, Any]:
    height, width, channels = config["image_shape"]
    rows, columns = config["patch_size"]
    odd = {
        "image_shape": height != width,
        "patch_size": rows != columns,
        "use_mha_bias": not config["use_mha_bias"],
        "use_mlp_bias": not config["use_mlp_bias"],
        "use_class_token": not config["use_class_token"],
        "use_patch_bias": not config["use_patch_bias"],
    }
    refuse(config, odd)
    return {
        "image_size": height,
        "patch_size": rows,
        "num_channels": channels,
        "num_hidden_layers": config["num_layers"],
        "num_attention_heads": config["num_heads"],
        "hidden_size": config["hidden_dim"],
        "intermediate_size": config["mlp_dim"],
        "hidden_dropout_prob": config["dropout_rate"],
        "attention_probs_dropout_prob": config["attention_dropout"],
        "layer_norm_eps": config["layer_norm_epsilon"],
        "hidden_act": "gelu",
        "qkv_bias": True,
    }


def _complete_vit(arrays: Arrays) -> Arrays:
    positions = arrays.pop("embeddings.position_embeddings.weight")
    return {**arrays, "embeddings.position_embeddings": positions[np.newaxis]}


_STEM = 7  # size of the first convolution


def _resnet_config(config: Mapping[str, Any]) -> dict[str, Any]:
    strides, sizes = list(config["stackwise_num_strides"]), config["input_conv_kernel_sizes"]
    kind = config["block_type"].removesuffix("_block")
    odd = {
        "use_pre_activation": config["use_pre_activation"],
        "block_type": kind not in ("basic", "bottleneck"),
        "input_conv_kernel_sizes": len(sizes) > 1 or sizes[0] > _STEM or sizes[0] % 2 == 0,
        "stackwise_num_strides": strides != [1] + [2] * (len(strides) - 1),
    }
    refuse(config, odd)
    wider = 4 if kind == "bottleneck" else 1
    return {
        "num_channels": 3,
        "embedding_size": config["input_conv_filters"][0],
        "hidden_sizes": [wider * width for width in config["stackwise_num_filters"]],
        "depths": list(config["stackwise_num_blocks"]),
        "layer_type": kind,
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }


def _complete_resnet(arrays: Arrays) -> Arrays:
    """Add a border of zeros to a small first convolution, and the counters of PyTorch."""
    stem = "embedder.embedder.convolution.weight"
    border = (_STEM - arrays[stem].shape[-1]) // 2
    wide = np.pad(arrays[stem], [(0, 0), (0, 0), (border, border), (border, border)])
    counters = {
        name.replace("running_mean", "num_batches_tracked"): np.array(0, "int64")
        for name in arrays
        if name.endswith("running_mean")
    }
    return {**arrays, stem: wide, **counters}


def _resnet_head(weight: np.ndarray, bias: np.ndarray) -> Arrays:
    return {"classifier.1.weight": weight, "classifier.1.bias": bias}


IMAGE_FAMILIES = {
    "ViTBackbone": Family(
        "vit",
        "ViTModel",
        _vit(),
        _vit_config,
        _complete_vit,
        first_block=1,
        classifier="ViTForImageClassification",
        pooling="first",
    ),
    "ResNetBackbone": Family(
        "resnet",
        "ResNetModel",
        _resnet(),
        _resnet_config,
        _complete_resnet,
        classifier="ResNetForImageClassification",
        pooling="average",
        head=_resnet_head,
    ),
}
