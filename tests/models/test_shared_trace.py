"""One trace for the blocks of a backbone: the same values, gradients and states, in less graph."""

import contextlib
from typing import ClassVar

import keras
import numpy as np
import pytest
from keras_hub.layers import TransformerEncoder

from kerasft.models import load_backbone
from kerasft.models.fast_layers import own_graphs, regions, speed_up_steps
from kerasft.models.fast_layers.shared_trace import share_traces
from kerasft.testing import FAMILIES

WITHOUT = {
    # Convolutions, one block, or none that is a layer of KerasHub.
    "convnext", "cspnet", "densenet", "efficientnet", "efficientnet_lite", "efficientnet_v2",
    "hgnet", "inception", "mobilenet", "resnet", "resnet_v2", "vgg", "xception",
    # Blocks that differ, or whose `get_config` fails.
    "dinov2", "dinov3", "gemma", "llama", "mit", "swin", "t5", "vit",
}  # fmt: skip


def kerashub(cls):
    """Returns a class that passes as one of KerasHub."""
    cls.__module__ = "keras_hub.tests"
    return cls


def encoders(cls=TransformerEncoder, number=3, width=16):
    """Returns a model of so many encoders."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, width))
    x = inputs
    for _ in range(number):
        x = cls(intermediate_dim=32, num_heads=2, dropout=0.1)(x)
    return keras.Model(inputs, x)


def batch_of(backbone):
    rng = np.random.default_rng(0)

    def values(name, rank):
        if rank == 4:
            return rng.uniform(0, 1, (3, 32, 32, 3)).astype("float32")
        if name.endswith("token_ids"):
            return rng.integers(1, 15, (3, 6)).astype("int32")
        mask = (np.arange(6) < np.array([[6], [3], [5]])).astype("int32")
        return mask if name.endswith("mask") else 0 * mask

    if not isinstance(backbone.input, dict):
        return values("", 4)
    return {name: values(name, len(tensor.shape)) for name, tensor in backbone.input.items()}


def trained(model, x, *, shared):
    """Returns loss, gradients, states afterwards, and the number of operations of a graph."""
    import tensorflow as tf

    before = [variable.numpy() for variable in model.variables]

    def step(x):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(x, training=True))
            loss = tf.add_n([*(tf.reduce_mean(tf.sin(each)) for each in outputs), *model.losses])
        variables = [variable.value for variable in model.trainable_variables]
        slopes = tape.gradient(loss, variables, unconnected_gradients="zero")
        return loss, [tf.convert_to_tensor(each) for each in slopes]

    step = tf.function(step, autograph=False)
    with own_graphs() if shared else contextlib.nullcontext():
        graph = step.get_concrete_function(keras.tree.map_structure(tf.constant, x)).graph
    loss, slopes = step(keras.tree.map_structure(tf.constant, x))
    states = [variable.numpy() for variable in model.non_trainable_variables]
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)
    return (loss.numpy(), [each.numpy() for each in slopes], states), len(graph.get_operations())


def compare(model, x):
    """Compares both ways, and returns by which factor a shared trace has fewer operations."""
    expected, many = trained(model, x, shared=False)
    found, few = trained(model, x, shared=True)
    pairs = zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    return many / few


def test_encoders_with_dropout_are_the_same_in_less_graph():
    model = encoders()
    share_traces(model)
    x = np.random.default_rng(0).standard_normal((4, 5, 16)).astype("float32")
    assert compare(model, x) > 2


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_backbones_of_all_families_are_the_same(preset, family):
    backbone = load_backbone(preset(family))
    share_traces(backbone, least_blocks=2)
    assert (compare(backbone, batch_of(backbone)) > 1.5) is (family not in WITHOUT)


@kerashub
class Counted(TransformerEncoder):
    """Notes for every trace whether it is frozen; its argument does not say whether it trains."""

    found: ClassVar = []

    def call(self, inputs):
        self.found.append(self.trainable)
        return super().call(inputs)


@pytest.mark.slow
def test_frozen_blocks_have_a_trace_of_their_own():
    model = encoders(Counted, number=6)
    for layer in model.layers[1:4]:
        layer.trainable = False
    share_traces(model)
    x = np.random.default_rng(0).standard_normal((4, 5, 16)).astype("float32")
    compare(model, x)
    Counted.found.clear()
    trained(model, x, shared=True)
    assert not Counted.found  # the function has it from before
    share_traces(model := encoders(Counted, number=6))
    model.layers[1].trainable = False
    Counted.found.clear()
    trained(model, x, shared=True)
    assert Counted.found == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("regions_used", [True, False])
@pytest.mark.parametrize("cls", [TransformerEncoder, Counted])
def test_steps_in_any_order_are_those_without_sharing(monkeypatch, cls, regions_used):
    monkeypatch.setattr(regions, "worthwhile", lambda: regions_used)
    x = np.random.default_rng(0).standard_normal((4, 5, 16)).astype("float32")
    y = np.ones((4, 5, 16), "float32")

    def results(shared):
        model = encoders(cls)
        if shared:
            share_traces(model)
        found = []
        for _ in range(2):  # as for another trial of a search
            part = keras.Model(model.input, model.output)
            part.compile(keras.optimizers.SGD(0.01), "mse")
            speed_up_steps(part)
            with own_graphs():
                found.append(part.predict(x, verbose=0))
            found += [part.test_on_batch(x, y), part.train_on_batch(x, y), part.test_on_batch(x, y)]
        return [*found, *(variable.numpy() for variable in model.variables)]

    for one, other in zip(results(True), results(False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_blocks_or_different_ones_are_left_alone():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 16))
    x = inputs
    for rate in (0.1, 0.1, 0.2, 0.2, 0.3):
        x = TransformerEncoder(32, 2, dropout=rate)(x)
    model = keras.Model(inputs, x)
    share_traces(model)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_layers_of_users_are_left_alone():
    class Own(TransformerEncoder):
        pass

    model = encoders(Own)
    share_traces(model)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_losses_of_blocks_are_kept():
    @kerashub
    class Routed(TransformerEncoder):
        def call(self, inputs, **options):
            outputs = super().call(inputs, **options)
            self.add_loss(keras.ops.mean(keras.ops.square(outputs)))
            return outputs

    model = encoders(Routed)
    share_traces(model)
    x = np.random.default_rng(0).standard_normal((4, 5, 16)).astype("float32")
    assert compare(model, x) > 1.5


def test_a_block_with_a_variable_of_another_object_is_traced_by_itself():
    others = iter([keras.Variable(float(number)) for number in range(3)])

    @kerashub
    class Scaled(TransformerEncoder):
        def build(self, shape):
            super().build(shape)
            other = next(others)
            self.read = lambda: other  # not tracked by Keras

        def call(self, inputs, **options):
            return self.read() * super().call(inputs, **options)

    model = encoders(Scaled)
    share_traces(model)
    x = np.random.default_rng(0).standard_normal((4, 5, 16)).astype("float32")
    assert compare(model, x) < 1.5


@pytest.mark.slow
def test_masks_that_keras_attaches_arrive():
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 16, mask_zero=True)(tokens)
    for _ in range(3):
        x = TransformerEncoder(32, 2)(x)
    model = keras.Model(tokens, x)
    share_traces(model)
    ratio = compare(model, np.array([[1, 2, 3, 0], [4, 5, 0, 0]], "int32"))
    assert ratio == 1  # a function would lose the mask


@pytest.mark.slow
def test_a_fit_ends_bit_for_bit_the_same():
    def fitted(shared):
        model = encoders(Counted, number=4)
        if shared:
            share_traces(model)
        Counted.found.clear()
        model = keras.Model(model.input, keras.layers.Dense(1)(model.output[:, 0]))
        model.compile(keras.optimizers.SGD(0.01), "mse")
        speed_up_steps(model)
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((12, 5, 16)), rng.standard_normal((12, 1))
        history = model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), verbose=0)
        assert len(Counted.found) == (2 if shared else 8)  # for training and validation
        return [history.history, *(variable.numpy() for variable in model.variables)]

    found, expected = keras.tree.flatten(fitted(True)), keras.tree.flatten(fitted(False))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
