"""Low-rank adapters: little is trained, the rest stays, and an export has them inside."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.models import find_blocks
from kerasft.models.blocks import flatten_layers
from kerasft.models.lora import add_adapters
from kerasft.recipes import minilm_tickets, resnet_digits


def trained_share(run):
    blocks = run.manifest["blocks"]
    inside = [block for block in blocks if block["name"] != "head"]
    return sum(b["trained_parameters"] for b in inside) / sum(b["parameters"] for b in inside)


def block_weights(model):
    return [v for block in find_blocks(model) for layer in block.layers for v in layer.weights]


def learns(run, tmp_path):
    """A run is saved, loaded and served."""
    found = kerasft.evaluate(run)
    assert found["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)
    folder = kerasft.export(run, models_dir=tmp_path, format="preset")
    again = kerasft.load_backbone(str(folder))
    assert not any("lora" in weight.path for weight in again.weights)  # merged
    return again


@pytest.mark.slow
def test_a_resnet_learns_by_adapters_of_its_convolutions(photos, tmp_path):
    config = resnet_digits.Config(
        dataset=photos, image_size=16, augmentation="none", lora_rank=2, trainable_blocks=-1,
        head_epochs=0, epochs=6, batch_size=8, learning_rate=5e-3, patience=0,
    )  # fmt: skip
    run = kerasft.fit(resnet_digits, config, runs_dir=tmp_path / "runs", progress=False)
    assert 0 < trained_share(run) < 0.05
    assert run.metrics["test"]["accuracy"] >= 0.8
    again = learns(run, tmp_path)
    # The preset computes what the run does: its kernels have the adapters in them.
    before = kerasft.load_backbone(config.preset)
    changed = [not np.array_equal(a.numpy(), b.numpy())
               for a, b in zip(again.weights, before.weights, strict=True)]  # fmt: skip
    kernels = [len(weight.shape) == 4 for weight in before.weights]
    assert changed == kernels


@pytest.mark.slow
@pytest.mark.minilm
def test_a_bert_learns_by_adapters_of_its_attention(reviews, tmp_path):
    config = minilm_tickets.Config(
        dataset=reviews, sequence_length=16, lora_rank=4, trainable_blocks=2, head_epochs=1,
        epochs=2, batch_size=8, patience=0, learning_rate=3e-3,
    )  # fmt: skip
    run = kerasft.fit(minilm_tickets, config, runs_dir=tmp_path / "runs", progress=False)
    assert 0 < trained_share(run) < 0.05
    assert run.metrics["test"]["accuracy"] >= 0.8


@pytest.mark.slow
def test_a_vit_learns_by_adapters_of_its_attention(preset, photos, tmp_path):
    config = resnet_digits.Config(
        preset=preset("vit"), dataset=photos, image_size=32, augmentation="none", lora_rank=1,
        trainable_blocks=-1, head_epochs=0, epochs=10, batch_size=8, learning_rate=2e-2, patience=0,
    )  # fmt: skip
    run = kerasft.fit(resnet_digits, config, runs_dir=tmp_path / "runs", progress=False)
    assert 0 < trained_share(run) < 0.05
    assert run.metrics["test"]["accuracy"] >= 0.8
    learns(run, tmp_path)


@pytest.mark.slow
def test_only_adapters_and_the_head_train_before_and_after_a_head_phase(preset, reviews, tmp_path):
    config = minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=16, lora_rank=2,
        trainable_blocks=1, head_epochs=1, epochs=1, batch_size=8,
    )  # fmt: skip
    run = kerasft.fit(minilm_tickets, config, runs_dir=tmp_path / "runs", progress=False)
    tuned = block_weights(kerasft.load_model(run).model)
    adapters = [v for v in tuned if "lora_" in v.name]
    assert len(adapters) == 4  # query and value of one layer, two matrices each
    assert any(np.abs(v.numpy()).max() > 0 for v in adapters if v.name.endswith("_b"))
    features = kerasft.text_features(
        kerasft.load_backbone(config.preset), dataclasses.replace(config, lora_rank=0)
    )
    before = block_weights(keras.Model(*features))
    rest = [v for v in tuned if "lora_" not in v.name]
    for one, two in zip(rest, before, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_adapters_need_a_trained_block_with_a_place_for_them(preset):
    config = kerasft.TextConfig(preset=preset("bert"), lora_rank=2, sequence_length=16)
    backbone = kerasft.load_backbone(config.preset)
    kerasft.freeze(backbone, 0)
    with pytest.raises(SettingError, match="`lora_rank` needs trained blocks"):
        kerasft.text_features(backbone, config)


def test_adapters_of_a_higher_rank_than_the_kernels_are_refused(preset):
    backbone = kerasft.load_backbone(preset("bert"))
    before = [weight.path for weight in backbone.weights]
    with pytest.raises(SettingError, match="`lora_rank` must be at most"):
        add_adapters(backbone, 4096)
    assert [weight.path for weight in backbone.weights] == before


@pytest.mark.parametrize(
    ("family", "kinds"),
    [
        ("mit", {"Dense"}),
        ("dinov3", {"Dense"}),
        ("convnext", {"Dense", "Conv2D"}),
        ("resnet", {"Conv2D"}),
    ],
)
def test_adapters_stand_where_a_family_has_its_projections(preset, family, kinds):
    backbone = kerasft.load_backbone(preset(family))
    kerasft.freeze(backbone, -1)
    add_adapters(backbone, 1)
    layers = [x for block in find_blocks(backbone) for y in block.layers for x in flatten_layers(y)]
    assert {type(x).__name__ for x in layers if getattr(x, "lora_enabled", False)} == kinds
