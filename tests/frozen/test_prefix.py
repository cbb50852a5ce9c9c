"""The frozen prefix: prefix and tail together are the model."""

import keras
import numpy as np
import pytest

import kerasft
from kerasft.data import Labels
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models import BackboneCache
from kerasft.models.blocks import find_blocks, flatten_layers
from kerasft.testing import FAMILIES, IMAGE_FAMILIES

LABELS = Labels("classification", ("a", "b", "c"))
IMAGES = tuple(IMAGE_FAMILIES)
# One of each kind; the others have the same layers in other numbers.
QUICK = ("bert", "gpt2", "inception", "resnet", "roberta", "vgg", "vit")
EVERY = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in sorted(FAMILIES)
]


def build(path, family, trainable_blocks, **changes):
    kind = kerasft.ImageConfig if family in IMAGES else kerasft.TextConfig
    changes = {"image_size": 32, "augmentation": "none", **changes} if family in IMAGES else changes
    config = kind(preset=path, sequence_length=16) if family not in IMAGES else None
    config = config or kind(preset=path, **changes)
    backbone = kerasft.load_backbone(path)
    kerasft.freeze(backbone, trainable_blocks)
    features = kerasft.image_features if family in IMAGES else kerasft.text_features
    inputs, x = features(backbone, config)
    return keras.Model(inputs, kerasft.head(x, config, LABELS))


def examples(model, count=3):
    rng = np.random.default_rng(0)
    if not isinstance(model.input, dict):
        return rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    mask = np.arange(8) < np.array([[8], [3], [5]])
    x = {name: np.zeros((count, 8), "int32") for name in model.input}
    x["token_ids"] = rng.integers(5, 15, (count, 8)).astype("int32") * mask
    if "padding_mask" in x:
        x["padding_mask"] = mask.astype("int32")
    return x


def through(prefix, x):
    """Runs the prefix, then the tail."""
    part = prefix.part(prefix.boundary, [])
    read = {name: x[n] if isinstance(x, dict) else x for name, n in part.inputs.items()}
    made = keras.tree.flatten(part.model.predict(read, verbose=0))
    values = {id(tensor): value for tensor, value in zip(prefix.boundary, made, strict=True)}
    kept = {name: values[id(tensor)] for name, tensor in prefix.tail.features.items()}
    read = {name: x[n] if isinstance(x, dict) else x for name, n in prefix.tail.inputs.items()}
    return prefix.tail.model.predict({**read, **kept}, verbose=0)


@pytest.mark.parametrize("family", EVERY)
def test_prefix_and_tail_are_the_model(preset, family):
    kept = BackboneCache()  # as the trials of a search have them: built on again and again
    for trainable_blocks in (0, 1):
        with kept:
            model = build(preset(family), family, trainable_blocks)
        prefix = FrozenPrefix(model)
        assert not prefix.reason
        x = examples(model)
        np.testing.assert_array_equal(through(prefix, x), model.predict(x, verbose=0))
        ours = {id(variable) for variable in prefix.tail.model.trainable_variables}
        assert ours == {id(variable) for variable in model.trainable_variables}
        assert prefix.tail.work < prefix.work


@pytest.mark.parametrize("family", EVERY)
def test_a_step_changes_the_trained_blocks_and_nothing_else(preset, family):
    model = build(preset(family), family, 1)
    frozen = [layer for block in find_blocks(model)[:-1] for layer in block.layers]
    rest = [v for layer in frozen for v in layer.weights]
    before = [v.numpy() for v in rest]
    first = [v.numpy() for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.train_on_batch(examples(model), np.array([0, 1, 2]))
    assert all(np.array_equal(v.numpy(), old) for v, old in zip(rest, before, strict=True))
    changed = [not np.array_equal(v.numpy(), old)
               for v, old in zip(model.trainable_variables, first, strict=True)]  # fmt: skip
    assert np.mean(changed) > 0.5  # a bias of a key, or an unused position, may have no gradient


def test_a_trained_layer_is_never_in_the_prefix(preset):
    model = build(preset("bert"), "bert", 1)
    prefix = FrozenPrefix(model)
    below = {id(v) for v in prefix.part(prefix.boundary, []).model.weights}
    assert below
    assert not below & {id(v) for v in model.trainable_variables}


@pytest.mark.parametrize(
    ("family", "changes", "trainable_blocks", "reason"),
    [("resnet", {"augmentation": "light"}, 0, "changes its inputs at random"),
     ("resnet", {}, -1, "is trained"),
     ("bert", {}, -1, "is trained")],
)  # fmt: skip
def test_the_reason_without_a_prefix(preset, family, changes, trainable_blocks, reason):
    assert reason in FrozenPrefix(build(preset(family), family, trainable_blocks, **changes)).reason


def test_active_dropout_and_updated_statistics_end_the_prefix():
    inputs = keras.Input((4,), name="x")
    first = keras.layers.Dense(3)(inputs)
    second = keras.layers.Dropout(0.5, name="noise")(first)
    third = keras.layers.BatchNormalization(name="norm")(second)
    model = keras.Model(inputs, keras.layers.Dense(2, name="top")(third))
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert [tensor is first for tensor in FrozenPrefix(model).boundary] == [True]
    model.get_layer("noise").rate = 0.0
    assert [tensor is third for tensor in FrozenPrefix(model).boundary] == [True]
    model.get_layer("norm").trainable = True
    assert [tensor is second for tensor in FrozenPrefix(model).boundary] == [True]


def test_signatures_depend_on_the_computation_not_the_object(preset):
    def signed(path, trainable_blocks, seed=0):
        keras.utils.set_random_seed(seed)
        prefix = FrozenPrefix(build(path, "bert", trainable_blocks))
        signatures = prefix.sign()
        return {signatures[id(tensor)] for tensor in prefix.boundary}, set(signatures.values())

    one, _ = signed(preset("bert"), 1)
    assert signed(preset("bert"), 1, seed=5)[0] == one  # another model that computes the same
    frozen, below = signed(preset("bert"), 0)
    assert frozen != one
    assert one <= below  # the shorter prefix is part of the longer one
    model = build(preset("bert"), "bert", 1)
    prefix = FrozenPrefix(model)
    model.weights[0].assign(model.weights[0] + 1)
    changed = prefix.sign()
    assert not one & {
        changed[id(tensor)] for tensor in prefix.boundary
    }  # other weights, other values


def test_layers_without_a_configuration_equal_themselves_alone(preset):
    def signed(model):
        prefix = FrozenPrefix(model)
        signatures = prefix.sign()
        return {signatures[id(tensor)] for tensor in prefix.boundary}

    one, other = (build(preset("swin"), "swin", 1) for _ in range(2))
    assert signed(one) == signed(one)
    assert not signed(one) & signed(other)


def test_dropout_of_frozen_blocks_is_off_and_of_trained_ones_on(preset):
    backbone = kerasft.load_backbone(preset("bert"))
    kerasft.freeze(backbone, 1)
    rates = [
        {inner.rate > 0 for x in block.layers for inner in flatten_layers(x) if has_rate(inner)}
        for block in find_blocks(backbone)
    ]
    assert rates == [{False}, {True}]
    kerasft.freeze(backbone, -1)
    assert all(inner.rate > 0 for inner in flatten_layers(backbone) if has_rate(inner))


def has_rate(layer):
    return isinstance(layer, keras.layers.Dropout)


def test_position_embeddings_are_not_cached_per_example(preset):
    prefix = FrozenPrefix(build(preset("deberta_v3"), "deberta_v3", 1))
    assert prefix.boundary
    assert all(tensor.shape[1] is None for tensor in prefix.boundary)  # a row a token
