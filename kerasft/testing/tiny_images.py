"""Tiny backbones of every image family with random weights, saved as presets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 32  # image size in pixels, for families with a fixed input size


def _save_images(backbone: Any, converter: str, folder: Path, scale: float = 1 / 127.5) -> None:
    import keras_hub

    backbone.save_to_preset(str(folder))
    offset = -1.0 if scale == 1 / 127.5 else 0.0
    kind = getattr(keras_hub.layers, f"{converter}ImageConverter")
    kind(image_size=(SIZE, SIZE), scale=scale, offset=offset).save_to_preset(str(folder))


def _resnet(folder: Path, *, pre_activation: bool = False) -> None:
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        use_pre_activation=pre_activation,
    )
    _save_images(backbone, "ResNet", folder)


def _resnet_v2(folder: Path) -> None:
    _resnet(folder, pre_activation=True)


def _vgg(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.VGGBackbone([1, 1, 2], [8, 16, 16])
    _save_images(backbone, "VGG", folder)


def _efficientnet(folder: Path, *, kind: str = "v1", squeeze: float = 0.25) -> None:
    import keras_hub

    backbone = keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 3,
        stackwise_depth_coefficients=[1.0] * 3,
        stackwise_kernel_sizes=[3, 3, 3],
        stackwise_num_repeats=[1, 1, 2],
        stackwise_input_filters=[8, 8, 16],
        stackwise_output_filters=[8, 16, 24],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_strides=[1, 2, 2],
        stackwise_squeeze_and_excite_ratios=[squeeze] * 3,
        stackwise_block_types=[kind] * 3,
        stackwise_force_input_filters=[0] * 3,
        input_shape=(None, None, 3),
    )
    _save_images(backbone, "EfficientNet", folder, 1 / 255.0)


def _efficientnet_v2(folder: Path) -> None:
    _efficientnet(folder, kind="fused")


def _efficientnet_lite(folder: Path) -> None:
    _efficientnet(folder, squeeze=0.0)


def _xception(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.XceptionBackbone([[8, 16], [16, 16]], [True, False])
    _save_images(backbone, "Xception", folder)


def _mobilenet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[8, 16], [16, 16]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[8, 8], [16, 16]],
        stackwise_kernel_size=[[3, 3], [3, 3]],
        stackwise_num_strides=[[2, 1], [2, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1, 1], [1, 1]],
        output_num_filters=32,
        input_activation="hard_swish",
        output_activation="hard_swish",
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=1,
        depthwise_residual=True,
        squeeze_and_excite=0.5,
        last_layer_filter=32,
    )
    _save_images(backbone, "MobileNet", folder)


def _densenet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DenseNetBackbone([1, 2], growth_rate=8)
    _save_images(backbone, "DenseNet", folder)


def _cspnet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.CSPNetBackbone(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_depth=[1, 1, 2],
        stackwise_strides=[2, 2, 2],
        stackwise_num_filters=[8, 16, 16],
        block_type="dark_block",
        stage_type="csp",
        block_ratio=[0.5],
    )
    _save_images(backbone, "CSPNet", folder)


def _vit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIZE, SIZE, 3), patch_size=(8, 8), num_layers=3, num_heads=2, hidden_dim=16,
        mlp_dim=32,
    )  # fmt: skip
    _save_images(backbone, "ViT", folder)


def _deit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DeiTBackbone(
        image_shape=(SIZE, SIZE, 3), patch_size=8, num_layers=3, num_heads=2, hidden_dim=16,
        intermediate_dim=32,
    )  # fmt: skip
    _save_images(backbone, "DeiT", folder)


def _dinov2(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DINOV2Backbone(
        patch_size=8, num_layers=3, hidden_dim=16, num_heads=2, intermediate_dim=32,
        image_shape=(SIZE, SIZE, 3), position_embedding_shape=(SIZE, SIZE),
    )  # fmt: skip
    _save_images(backbone, "DINOV2", folder)


def _dinov3(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DINOV3Backbone(
        patch_size=8, num_layers=3, hidden_dim=16, num_heads=2, intermediate_dim=32,
        num_register_tokens=2, image_shape=(SIZE, SIZE, 3),
    )  # fmt: skip
    _save_images(backbone, "DINOV3", folder)


def _hgnet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.HGNetV2Backbone(
        depths=[1, 1], embedding_size=16, hidden_sizes=[16, 32], stem_channels=[3, 8, 16],
        hidden_act="relu", use_learnable_affine_block=False,
        stackwise_stage_filters=[(16, 8, 16, 1, 1, 3), (16, 8, 32, 1, 1, 3)],
        apply_downsample=[False, True], use_lightweight_conv_block=[False, False],
        image_shape=(None, None, 3),
    )  # fmt: skip
    _save_images(backbone, "HGNetV2", folder)


def _swin(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.SwinTransformerBackbone(
        image_shape=(SIZE, SIZE, 3), embed_dim=8, depths=(1, 2), num_heads=(1, 2), window_size=4,
    )  # fmt: skip
    _save_images(backbone, "SwinTransformer", folder)


def _mit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.MiTBackbone(
        layerwise_depths=[1, 1], num_layers=2, layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1], max_drop_path_rate=0.1, layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2], image_shape=(SIZE, SIZE, 3), hidden_dims=[8, 16],
    )  # fmt: skip
    _save_images(backbone, "MiT", folder)


def _convnext(folder: Path) -> Path:
    """Save a ConvNeXt from keras.applications as a `.keras` file."""
    from keras.src.applications.convnext import ConvNeXt  # the public ones are large

    model = ConvNeXt(
        [1, 1, 2, 1],
        [8, 16, 16, 16],
        include_top=False,
        input_shape=(None, None, 3),
        weights_name="",
    )
    return _save_file(model, folder)


def _inception(folder: Path) -> Path:
    """Save two Inception modules (parallel paths), whose blocks only the graph reveals."""
    import keras

    def unit(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        x = keras.layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    inputs = keras.Input((None, None, 3))
    x = unit(inputs, 8, 3, 2)
    for index in range(2):
        paths = [unit(x, 8, 1), unit(unit(x, 4, 1), 8, 3), keras.layers.AveragePooling2D(
            3, 1, padding="same")(x)]  # fmt: skip
        x = keras.layers.Concatenate(name=f"mixed{index}")(paths)
        x = unit(x, 16, 3, 2)
    return _save_file(keras.Model(inputs, x), folder)


def _save_file(model: Any, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    return folder / "model.keras"


IMAGE_FAMILIES: dict[str, Callable[[Path], Path | None]] = {
    "resnet": _resnet,
    "resnet_v2": _resnet_v2,
    "vgg": _vgg,
    "inception": _inception,
    "efficientnet": _efficientnet,
    "efficientnet_v2": _efficientnet_v2,
    "efficientnet_lite": _efficientnet_lite,
    "xception": _xception,
    "mobilenet": _mobilenet,
    "densenet": _densenet,
    "cspnet": _cspnet,
    "convnext": _convnext,
    "vit": _vit,
    "deit": _deit,
    "dinov2": _dinov2,
    "dinov3": _dinov3,
    "hgnet": _hgnet,
    "swin": _swin,
    "mit": _mit,
}
