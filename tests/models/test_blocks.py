"""Blocks by depth: one meaning for every family."""

import shutil

import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.models import find_blocks
from kerasft.models.backbone_families import functional_graph
from kerasft.models.blocks import flatten_layers


def weight_ids(layers):
    return [id(v) for layer in layers for v in layer.weights]


def test_blocks_share_out_all_weights_and_freezing_trains_exactly_n_of_them(family, preset):
    backbone = kerasft.load_backbone(preset(family))
    blocks = find_blocks(backbone)
    inside = [i for block in blocks for i in weight_ids(block.layers)]
    assert len(inside) == len(set(inside))
    # T5's decoder is no part of what is tuned.
    whole = functional_graph(backbone) if family == "t5" else backbone
    assert set(inside) == {id(v) for v in whole.weights}
    assert len(blocks) >= 2

    for count in range(len(blocks) + 1):
        kerasft.freeze(backbone, count)
        trained = {id(v) for v in functional_graph(backbone).trainable_weights}
        top = blocks[len(blocks) - count :]
        assert trained <= set(weight_ids([x for block in top for x in block.layers]))
        assert [block.trained_parameters > 0 for block in blocks] == [
            index >= len(blocks) - count for index in range(len(blocks))
        ]
    kerasft.freeze(backbone, -1)
    assert trained == {id(v) for v in functional_graph(backbone).trainable_weights}


def test_freezing_again_forgets_the_freezing_before(preset):
    backbone = kerasft.load_backbone(preset("resnet"))
    before = len(backbone.trainable_weights)
    kerasft.freeze(backbone, 0)
    assert backbone.trainable_weights == []
    kerasft.freeze(backbone, -1)
    assert len(backbone.trainable_weights) == before


@pytest.mark.parametrize("family", ["resnet", "efficientnet"])
def test_freeze_batch_norm_holds_in_trained_blocks(family, preset):
    import keras

    backbone = kerasft.load_backbone(preset(family))
    kerasft.freeze(backbone, -1, freeze_batch_norm=True)
    norms = [x for x in flatten_layers(backbone) if isinstance(x, keras.layers.BatchNormalization)]
    assert norms
    assert not any(norm.trainable for norm in norms)
    assert backbone.trainable_weights


def test_too_many_blocks_are_refused_with_their_names(preset):
    backbone = kerasft.load_backbone(preset("resnet"))
    with pytest.raises(SettingError, match=r"at most 3 for ResNetBackbone \(P2, P3, P4\).*-1"):
        kerasft.freeze(backbone, 9)


def test_a_model_without_known_blocks_is_refused():
    import keras

    class Layered(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(SettingError, match="blocks of Layered are unknown"):
        find_blocks(Layered())


def test_an_unknown_graph_is_split_at_its_bottlenecks():
    import keras

    inputs = keras.Input((4,))
    first = keras.layers.Dense(4, name="first")(inputs)
    inner = keras.layers.Dense(4, name="inner")(first)
    x = keras.layers.Add(name="residual")([first, inner])
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    names = [[layer.name for layer in block.layers] for block in find_blocks(model)]
    assert names[0][1:] == ["first"]
    assert names[1:] == [["inner", "residual"], ["last"]]


@pytest.mark.slow
def test_inception_has_a_block_for_every_halving_of_the_image():
    import keras

    model = keras.applications.InceptionV3(include_top=False, weights=None)
    ends = {block.name: block.layers[-1].name for block in find_blocks(model)}
    assert list(ends) == ["P1", "P2", "P3", "P4", "P5"]
    assert (ends["P3"], ends["P4"], ends["P5"]) == ("mixed2", "mixed7", "mixed10")


def test_table_announces_what_trains(preset):
    backbone = kerasft.load_backbone(preset("bert"))
    kerasft.freeze(backbone, 1)
    lines = kerasft.block_table(backbone).splitlines()
    assert lines[0].split() == ["block", "parameters", "trained"]
    assert lines[1].startswith("transformer_layer_1")
    assert lines[2].split()[-1] == "frozen"
    trained = sum(int(v.numpy().size) for v in backbone.trainable_weights)
    assert lines[-1].split() == ["total", f"{backbone.count_params():,}", f"{trained:,}"]


def test_a_sequence_longer_than_the_positions_of_the_backbone_is_refused(preset):
    config = kerasft.TextConfig(preset=preset("bert"), sequence_length=129)
    with pytest.raises(SettingError, match="`sequence_length` must be at most 128"):
        kerasft.text_features(kerasft.load_backbone(config.preset), config)


@pytest.mark.parametrize("share", [0.5, 2])
def test_a_tokenizer_of_another_vocabulary_is_refused(preset, tmp_path, share):
    folder = shutil.copytree(preset("bert"), tmp_path / "bert")
    path = folder / "assets" / "tokenizer" / "vocabulary.txt"
    words = path.read_text(encoding="utf-8").splitlines()
    more = [f"word{number}" for number in range(len(words))]
    path.write_text("\n".join([*words, *more][: int(share * len(words))]), encoding="utf-8")
    config = kerasft.TextConfig(preset=str(folder), sequence_length=16)
    backbone = kerasft.load_backbone(config)
    with pytest.raises(SettingError, match=r"has \d+ tokens, but its backbone \d+ embeddings"):
        kerasft.features(backbone, config)
