"""Ways to train the trained blocks: what each changes, and that it leaves the rest alone."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models import find_blocks
from kerasft.models.adaptation import NearPretrained
from kerasft.models.blocks import flatten_layers
from kerasft.models.freezing import frozen_below
from kerasft.models.keras_attributes import get_rate_scale
from kerasft.training.phases import make_batches, plan_phases


def build(config):
    backbone = kerasft.load_backbone(config.preset)
    kerasft.freeze(backbone, config.trainable_blocks)
    image = isinstance(config, kerasft.ImageConfig)
    make = kerasft.image_features if image else kerasft.text_features
    inputs, features = make(backbone, config)
    labels = kerasft.Labels("classification", ("a", "b"))
    return keras.Model(inputs, kerasft.head(features, config, labels))


@pytest.fixture
def texts(preset):
    return kerasft.TextConfig(preset=preset("bert"), sequence_length=16)


def weights_of(block):
    return [variable for layer in block.layers for variable in layer.weights]


def test_every_block_has_its_share_of_the_rate(texts):
    model = build(dataclasses.replace(texts, layer_decay=0.5))
    blocks = find_blocks(model)
    shares = [{get_rate_scale(variable) for variable in weights_of(block)} for block in blocks]
    assert shares == [{0.5**depth} for depth in range(len(blocks), 0, -1)]
    assert {get_rate_scale(v) for v in model.get_layer("head").weights} == {1.0}


def test_frozen_embeddings_are_the_tables_alone(texts):
    plain, model = (
        build(dataclasses.replace(texts, freeze_embeddings=freeze)) for freeze in (False, True)
    )
    kept = [a.path for a, b in zip(plain.weights, model.weights, strict=True)
            if a.trainable and not b.trainable]  # fmt: skip
    assert kept
    assert all("embedding" in path for path in kept)
    assert not any("embeddings" in v.path and len(v.shape) == 2 for v in model.trainable_variables)


def test_the_penalty_grows_with_the_distance_from_the_pretrained_weights(texts):
    model = build(dataclasses.replace(texts, trainable_blocks=1, pretrained_l2=0.5))
    kernels = [v for v in model.weights if isinstance(v.regularizer, NearPretrained)]
    top = find_blocks(model)[-1]
    assert {id(v) for v in kernels} < {id(v) for v in weights_of(top)}  # of trained blocks alone
    assert float(sum(model.losses)) == pytest.approx(0.0, abs=1e-6)
    kernels[0].assign(kernels[0] + 0.1)
    expected = 0.5 * 0.01 * np.prod(kernels[0].shape)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("family", ["swin", "mit", "efficientnet"])
def test_paths_are_left_out_in_trained_blocks_alone(family, preset):
    config = kerasft.ImageConfig(
        preset=preset(family), image_size=32, trainable_blocks=1, stochastic_depth=0.4,
        augmentation="none",
    )  # fmt: skip
    model = build(config)
    lower, top = find_blocks(model)[:-1], find_blocks(model)[-1]

    def shares(block):
        found = [inner for layer in block.layers for inner in flatten_layers(layer)]
        return [
            next(getattr(x, name) for name in ("drop_prob", "rate") if hasattr(x, name))
            for x in found
            if type(x).__name__ == "DropPath" or getattr(x, "noise_shape", None)
        ]

    assert max(shares(top)) == pytest.approx(0.4)
    assert all(share == 0 for block in lower for share in shares(block))
    assert FrozenPrefix(model).reason == ""  # what is frozen is deterministic


def test_a_family_without_such_paths_says_so(preset):
    with pytest.raises(SettingError, match="a family with stochastic depth"):
        build(kerasft.ImageConfig(preset=preset("vgg"), image_size=32, stochastic_depth=0.1))


def test_a_preset_without_such_paths_says_so(preset, tmp_path):
    folder = shutil.copytree(preset("efficientnet"), tmp_path / "preset")
    config = json.loads((folder / "config.json").read_text())
    config["config"]["dropout"] = 0.0
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingError, match="a preset of EfficientNetBackbone with a rate of 0"):
        build(kerasft.ImageConfig(preset=str(folder), image_size=32, stochastic_depth=0.1))


def test_no_path_is_left_out_where_none_could_be(preset):
    build(kerasft.ImageConfig(preset=preset("vgg"), image_size=32, stochastic_depth=0.0))


def test_a_preset_of_texts_is_no_image_model(preset):
    with pytest.raises(SettingError, match=r"must be of an image model.*padding_mask"):
        build(kerasft.ImageConfig(preset=preset("bert"), image_size=32))


def test_gradual_unfreezing_adds_a_block_from_phase_to_phase(texts):
    config = dataclasses.replace(texts, trainable_blocks=2, head_epochs=1, epochs=5)
    model = build(config)
    config = dataclasses.replace(config, unfreeze_every=2)
    phases = plan_phases(config, model)
    assert [(phase.name, phase.epochs) for phase in phases] == [
        ("head", 1), ("top 1", 2), ("main", 3)
    ]  # fmt: skip
    trained = []
    for phase in phases:
        with frozen_below(model, phase.blocks):
            trained.append([block.trained_parameters > 0 for block in find_blocks(model)])
    assert [sum(blocks) for blocks in trained] == [0, 1, 2]
    assert trained[1][-1]
    with pytest.raises(SettingError, match=r"`epochs` is 4, .* needs at least 5"):
        plan_phases(dataclasses.replace(config, unfreeze_every=4, epochs=4), model)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lora_rank": 4, "pretrained_l2": 0.1}, "trains only the adapters"),
        ({"lora_rank": 4, "backbone_l2": 0.1}, "`backbone_l2` cannot be combined with `lora_rank`"),
        ({"lora_rank": 4, "freeze_batch_norm": False}, "Remove --no-freeze-batch-norm"),
        ({"pretrained": False, "pretrained_l2": 0.1}, "needs pretrained weights"),
        ({"lora_rank": 4, "trainable_blocks": 0}, "leaves no blocks"),
        ({"loss": "huber"}, "must be one of auto, cross_entropy, focal"),
        ({"loss": "focal", "task": "regression"}, "must be one of auto, squared, absolute, huber"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_reason(settings, words):
    with pytest.raises(SettingError, match=words):
        (kerasft.ImageConfig if "freeze_batch_norm" in settings else kerasft.TextConfig)(**settings)


@pytest.mark.parametrize("settings", [{"mixup": 0.2}, {"class_weight": "balanced"}])
def test_batches_of_a_recipes_own_are_neither_mixed_nor_weighed(settings):
    own = keras.utils.PyDataset()
    assert make_batches(own, kerasft.ImageConfig(), None, training=True) is own
    with pytest.raises(SettingError, match="makes its own batches"):
        make_batches(own, kerasft.ImageConfig(**settings), None, training=True)
