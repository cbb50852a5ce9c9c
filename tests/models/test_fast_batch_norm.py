"""Batch normalization folded into convolutions: the same values and gradients."""

import contextlib

import keras
import numpy as np
import pytest

from kerasft.models import load_backbone
from kerasft.models.dtype_policy import precision
from kerasft.models.fast_layers import exported_graphs, own_graphs, speed_up, speed_up_steps

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
layers = keras.layers
KINDS = {
    "convolution": lambda x: layers.Conv2D(6, 3, padding="same", use_bias=False)(x),
    "with strides": lambda x: layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x),
    "padded": lambda x: layers.Conv2D(6, 3, use_bias=False)(layers.ZeroPadding2D(1)(x)),
    "padded more": lambda x: layers.Conv2D(6, 3, use_bias=False)(layers.ZeroPadding2D(2)(x)),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x),
    "depthwise padded": lambda x: layers.DepthwiseConv2D(3, use_bias=False)(
        layers.ZeroPadding2D(1)(x)
    ),
    "depthwise with strides": lambda x: layers.DepthwiseConv2D(3, strides=2, use_bias=False)(
        layers.ZeroPadding2D(1)(x)
    ),
    "even with strides": lambda x: layers.DepthwiseConv2D(3, strides=2, use_bias=False)(
        layers.ZeroPadding2D(((0, 1), (0, 1)))(layers.Cropping2D(((0, 1), (0, 1)))(x))
    ),
    "even padded before": lambda x: layers.Conv2D(6, 3, strides=2, use_bias=False)(
        layers.ZeroPadding2D(1)(layers.Cropping2D(((0, 1), (0, 1)))(x))
    ),
    "unequal strides": lambda x: layers.Conv2D(6, 3, strides=(1, 2), use_bias=False)(
        layers.ZeroPadding2D(1)(x)
    ),
    "even kernel": lambda x: layers.Conv2D(6, 4, use_bias=False)(
        layers.ZeroPadding2D(((1, 2), (1, 2)))(x)
    ),
    "separable": lambda x: layers.SeparableConv2D(6, 3, use_bias=False)(x),
    "with adapters": lambda x: adapted(x),
    # Those that are left alone.
    "dilated": lambda x: layers.Conv2D(6, 3, dilation_rate=2, use_bias=False)(x),
    "in groups": lambda x: layers.Conv2D(8, 3, groups=4, use_bias=False)(x),
    "with a bias": lambda x: layers.Conv2D(6, 3)(x),
    "more weights than values": lambda x: layers.Conv2D(99, 9, use_bias=False)(x),
    "none": lambda x: x,
}
LEFT = ("dilated", "in groups", "with a bias", "more weights than values", "none")


def adapted(x):
    layer = layers.Conv2D(6, 3, use_bias=False)
    y = layer(x)
    layer.enable_lora(2)
    return y


def build(kind, **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 4))
    x = layers.ReLU(6.0)(layers.BatchNormalization(**options)(KINDS[kind](inputs)))
    model = keras.Model(inputs, layers.Dense(3, name="head")(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    norm = norm_of(model)
    for variable in norm.weights:
        variable.assign(rng.uniform(0.5, 2, variable.shape))
    norm.trainable = False
    return model


def norm_of(model):
    return next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))


def used_operations(function, *given):
    """Returns the kinds of operations of a traced function that are executed, by name."""
    graph = function.get_concrete_function(*given).graph
    waiting, found = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs], {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation.type
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def images(count=5):
    return tf.constant(np.random.default_rng(1).standard_normal((count, 9, 9, 4)), "float32")


def values_and_gradients(model, *, own, training):
    """Returns output, gradients and the kinds of operations of a traced step."""

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            y = model(x, training=training)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 2)
        return [y, *tape.gradient(loss, [v.value for v in model.trainable_variables])]

    with own_graphs() if own else contextlib.nullcontext():
        found = run(images())
    return found, list(used_operations(run, images()).values())


@pytest.mark.parametrize(("training", "learned"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_the_same(kind, training, learned):
    model = build(kind)
    norm_of(model).trainable = learned  # with gradients of gamma and beta
    expected, _ = values_and_gradients(model, own=False, training=training)
    speed_up(model)
    found, operations = values_and_gradients(model, own=True, training=training)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    outside, plain = values_and_gradients(model, own=False, training=training)
    np.testing.assert_array_equal(outside[0], expected[0])
    folded = operations.count("BiasAdd") - plain.count("BiasAdd")
    assert folded == (0 if kind in LEFT else 1)
    assert ("Pad" in operations) == (kind in ("padded more", "even padded before"))


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_scale_center_and_epsilon_are_respected(options):
    model = build("convolution", **options)
    (expected, *_), plain = values_and_gradients(model, own=False, training=True)
    speed_up(model)
    (found, *_), operations = values_and_gradients(model, own=True, training=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert operations.count("BiasAdd") == plain.count("BiasAdd") + 1


def test_a_layer_that_learns_its_statistics_is_left_alone():
    model = build("convolution")
    norm = norm_of(model)
    norm.trainable = True
    speed_up(model)
    before = norm.moving_mean.numpy()
    _, operations = values_and_gradients(model, own=True, training=True)
    assert np.abs(norm.moving_mean.numpy() - before).max() > 1e-3
    # A validation has its present statistics.
    _, validating = values_and_gradients(model, own=True, training=False)
    assert validating.count("BiasAdd") == operations.count("BiasAdd") + 1


def test_a_convolution_with_two_uses_counts_for_both():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 4))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    norm = layers.BatchNormalization(trainable=False)
    model = keras.Model(inputs, norm(x) + x)
    norm.moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    (expected, *_), _ = values_and_gradients(model, own=False, training=False)
    speed_up(model)
    (found, *_), operations = values_and_gradients(model, own=True, training=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert operations.count("BiasAdd") == 1


def test_in_bfloat16_a_kernel_is_rounded_once():
    with precision("mixed_bfloat16"):
        model = build("convolution")
    (expected, *_), _ = values_and_gradients(model, own=False, training=False)
    speed_up(model)

    @tf.function
    def run(x):
        return model(x, training=False)

    with own_graphs():
        graph = run.get_concrete_function(images()).graph
    found = run(images())
    one, other = (np.asarray(each, "float32") for each in (found, expected))
    assert np.abs(one - other).max() < 0.03 * np.abs(other).max()
    scaled = graph.outputs[0].op
    while scaled.type != "Conv2D":
        scaled = scaled.inputs[0].op
    cast = scaled.inputs[1].op
    assert [cast.type, cast.inputs[0].dtype, cast.inputs[0].op.type] == ["Cast", "float32", "Mul"]


def test_an_export_has_the_layers_of_keras_within_own_graphs_too():
    model = build("convolution")
    expected, _ = values_and_gradients(model, own=False, training=False)
    speed_up(model)
    with exported_graphs():
        found, operations = values_and_gradients(model, own=True, training=False)
    np.testing.assert_array_equal(found[0], expected[0])
    assert operations.count("BiasAdd") == 1  # that of the output layer


@pytest.mark.parametrize("family", ["resnet", "efficientnet"])
def test_every_normalization_after_a_convolution_of_a_backbone_is_folded(preset, family):
    backbone = load_backbone(preset(family))
    backbone.trainable = False
    x = layers.GlobalAveragePooling2D()(backbone.output)
    model = keras.Model(backbone.input, layers.Dense(2, use_bias=False)(x))
    model.compile("sgd", "mse")
    speed_up_steps(model)
    images = np.zeros((512, *(size or 32 for size in backbone.input.shape[1:])), "float32")

    def names():  # of Keras' product and sum
        step = tf.function(lambda x, y: model.train_step((x, y)))
        used = used_operations(step, images, np.zeros((512, 2), "float32"))
        return [name for name in used if "batchnorm" in name]

    assert not names()
    with exported_graphs():
        assert names()


@pytest.mark.parametrize(
    ("features", "batch_size", "folded"),
    [(16, None, True), (17, None, False), (17, 17, True), (3, 2, False)],
)
def test_a_kernel_has_at_most_as_many_weights_as_its_output_has_values(
    features, batch_size, folded
):
    inputs = keras.Input((1, 1, features))
    x = layers.Conv2D(5, 1, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.BatchNormalization(trainable=False)(x))
    speed_up(model)
    run = tf.function(lambda x: model(x, training=False))
    with own_graphs():  # 16 examples where the graph does not have the number
        used = used_operations(run, tf.TensorSpec([batch_size, 1, 1, features]))
    assert ("BiasAdd" in used.values()) == folded
