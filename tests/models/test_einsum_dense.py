"""Projections as matrix products: the same values and gradients, other operations."""

import keras
import numpy as np
import pytest

from kerasft.models import load_backbone
from kerasft.models.blocks import flatten_layers
from kerasft.models.einsum_dense import multiply_as_matrices

EQUATIONS = {
    "abc,cde->abde": (None, 3, 4),
    "abcd,cde->abe": (None, 5),
    "abc,cd->abd": (None, 6),
    "abc,dc->abd": (None, 6),  # not of the kind that is changed
}


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("length", [7, None])
def test_values_and_gradients_are_the_same(equation, length):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    shape = (length, 2, 8) if equation.startswith("abcd") else (length, 8)
    bias = EQUATIONS[equation] and equation.rpartition(">")[2][-1]
    inputs = keras.Input(shape)
    layer = keras.layers.EinsumDense(
        equation, EQUATIONS[equation], activation="tanh", bias_axes=bias
    )
    model = keras.Model(inputs, layer(inputs))
    x = tf.constant(np.random.default_rng(0).standard_normal((3, 7, *shape[1:])), "float32")

    def values_and_gradients():
        # As Keras traces it: with lengths that are not known.
        @tf.function(input_signature=[tf.TensorSpec([None, *shape], "float32")])
        def run(x):
            with tf.GradientTape() as tape:
                y = model(x)
                loss = tf.reduce_sum(y**3)
            return [y, *tape.gradient(loss, [v.value for v in model.trainable_variables])]

        return run(x)

    before = values_and_gradients()
    multiply_as_matrices(model)
    for one, other in zip(values_and_gradients(), before, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_loaded_bert_has_no_batch_of_kernels_in_its_gradient(preset):
    import tensorflow as tf

    backbone = load_backbone(preset("bert"))
    layers = [x for x in flatten_layers(backbone) if isinstance(x, keras.layers.EinsumDense)]
    assert layers
    layer = next(x for x in layers if x.equation == "abc,cde->abde")
    x = tf.constant(np.ones((3, 5, layer.kernel.shape[0]), "float32"))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, layer.kernel.value)

    kinds = {
        operation.type for operation in gradient.get_concrete_function().graph.get_operations()
    }
    assert "MatMul" in kinds
    assert not {"BatchMatMulV2", "Einsum"} & kinds


def test_configuration_and_saved_files_do_not_change(tmp_path, preset):
    backbone = load_backbone(preset("bert"))
    tokens = {name: np.ones((2, 6), "int32") for name in backbone.input}
    expected = backbone.predict(tokens, verbose=0)
    backbone.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == backbone.get_config()
    for name, values in again.predict(tokens, verbose=0).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-5)
