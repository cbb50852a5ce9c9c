"""Fast layers: the same values and gradients, other operations."""

import keras
import numpy as np
import pytest

from kerasft.models import load_backbone
from kerasft.models.blocks import flatten_layers
from kerasft.models.fast_layers import fused_regions, regions, speed_up, speed_up_steps
from kerasft.models.fast_layers.own_graphs import in_own_graph

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
    speed_up(model)
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


ROWS = (0, 3, 64, 67, 1000)  # of two examples: 128 rows need no padding


@pytest.fixture(autouse=True)
def _regions_anywhere(monkeypatch):
    """Use regions on machines where they are not worthwhile, too."""
    monkeypatch.setattr(regions, "worthwhile", lambda: True)


LAYERS = {
    "gelu by tanh": lambda policy: keras.layers.Dense(
        128, activation=_gelu_approximate, dtype=policy
    ),
    "gelu by erf": lambda policy: keras.layers.Dense(128, activation="gelu", dtype=policy),
    "layer norm": lambda policy: keras.layers.LayerNormalization(epsilon=1e-5, dtype=policy),
}


def _gelu_approximate(x):
    return keras.activations.gelu(x, approximate=True)


def _model(layer, width=128):
    inputs = keras.Input((None, width), dtype=layer.compute_dtype)
    model = keras.Model(inputs, layer(inputs))
    for variable in model.weights:
        variable.assign(variable + 0.1 * keras.random.normal(variable.shape, seed=1))
    return model


def _speed_up_beside_a_norm(layer):
    """Speed up a layer of a model with enough features."""
    norm = keras.layers.LayerNormalization()
    norm.build((None, 128))
    speed_up(keras.Sequential([layer, norm]))


def _values_and_gradients(model, x):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, *model.input.shape[1:]], x.dtype)])
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 2)
        return [y, *tape.gradient(loss, [x, *(v.value for v in model.trainable_variables)])]

    return run, [keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in run(x)]


def _compiled_functions(function, x):
    """Return the functions that XLA compiles in a graph."""
    graph = function.get_concrete_function().graph.as_graph_def()
    return [f for f in graph.library.function if f.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", LAYERS)
def test_regions_have_the_same_values_and_gradients(name, rows):
    import tensorflow as tf

    model = _model(LAYERS[name]("float32"))
    speed_up(model)
    x = tf.constant(np.random.default_rng(0).standard_normal((2, rows, 128)), "float32")
    plain, expected = _values_and_gradients(model, x)
    with fused_regions():
        fused, found = _values_and_gradients(model, x)
    assert _compiled_functions(fused, x), "nothing is compiled"
    assert not _compiled_functions(plain, x), "a graph outside must not need XLA"
    for one, other in zip(found, expected, strict=True):
        scale = np.abs(other).max(initial=1e-3)
        np.testing.assert_allclose(one / scale, other / scale, atol=2e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_regions_round_no_more_than_keras_in_bfloat16(name):
    import tensorflow as tf

    exact, model = _model(LAYERS[name]("float32")), _model(LAYERS[name]("mixed_bfloat16"))
    model.set_weights(exact.get_weights())
    speed_up(model)
    x = tf.cast(np.random.default_rng(0).standard_normal((2, 100, 128)), "bfloat16")
    _, expected = _values_and_gradients(exact, tf.cast(x, "float32"))
    _, plain = _values_and_gradients(model, x)
    with fused_regions():
        fused, found = _values_and_gradients(model, x)
    assert _compiled_functions(fused, x)
    for one, keras_own, right in zip(found, plain, expected, strict=True):
        mean = np.abs(right).mean()
        assert np.abs(one - right).mean() / mean <= np.abs(keras_own - right).mean() / mean + 1e-4


def test_dropout_drops_its_share_and_scales_the_rest():
    import tensorflow as tf

    layer = keras.layers.Dropout(0.1, seed=3)
    model = _model(layer, 100)
    _speed_up_beside_a_norm(layer)
    x = tf.ones((50, 20, 100))
    with fused_regions():
        run, (first, slope) = _values_and_gradients(model, x)
    second = run(x)[0].numpy()
    assert _compiled_functions(run, x)
    dropped = first == 0
    # 100,000 values: the standard error is 0.001.
    assert abs(dropped.mean() - 0.1) < 0.004
    np.testing.assert_allclose(first[~dropped], 1 / 0.9, rtol=1e-6)
    # The loss is the sum of squares: what was dropped has no gradient.
    np.testing.assert_allclose(slope, 2 * first / 0.9, rtol=1e-6)
    # Each axis has its share, and another step has another mask.
    for axis in ((0, 1), (0, 2), (1, 2)):
        assert np.ptp(dropped.mean(axis=axis)) < 0.12
    both = (dropped & (second == 0)).mean()
    assert abs(both - 0.01) < 0.0015


def test_dropout_repeats_with_its_seed_and_is_off_outside_training():
    import tensorflow as tf

    def values():
        layer = keras.layers.Dropout(0.5, seed=7)
        model = _model(layer, 16)
        _speed_up_beside_a_norm(layer)
        with fused_regions():
            run, found = _values_and_gradients(model, tf.ones((2, 3, 16)))
        assert _compiled_functions(run, tf.ones((2, 3, 16)))
        return model, found[0]

    (model, one), (_, other) = values(), values()
    np.testing.assert_array_equal(one, other)
    with fused_regions():
        assert np.all(model(np.ones((2, 3, 16)), training=False) == 1)


@pytest.mark.parametrize("kind", [keras.layers.Embedding, keras.layers.ReversibleEmbedding])
def test_an_embedding_has_a_gradient_of_rows(kind):
    import tensorflow as tf

    layer = kind(50, 8)
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    tokens = tf.constant([[1, 4, 4]])

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            y = model(tokens)
            loss = tf.reduce_sum(y**2)
        return y, tf.convert_to_tensor(tape.gradient(loss, layer.embeddings.value))

    before = run()
    speed_up(model)
    run = tf.function(run.python_function)
    for one, other in zip(run(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    kinds = [operation.type for operation in run.get_concrete_function().graph.get_operations()]
    assert "ResourceGather" in kinds
    if kind is keras.layers.ReversibleEmbedding:
        assert layer(before[0], reverse=True).shape == (1, 3, 50)


def test_dropout_of_two_layers_differs_wherever_values_are_moved():
    import tensorflow as tf

    def dropped(seed):
        layer = keras.layers.Dropout(0.3, seed=seed)
        model = _model(layer, 16)
        _speed_up_beside_a_norm(layer)
        with fused_regions():
            return _values_and_gradients(model, tf.ones((4, 64, 16)))[1][0].ravel() == 0

    one, other = dropped(1), dropped(2)
    for moved in range(64):  # a shift of the positions must not make the masks equal
        assert (one == other[np.arange(one.size) ^ moved]).mean() < 0.65


def test_negative_and_long_indices_are_those_of_keras():
    import tensorflow as tf

    layer = keras.layers.Embedding(10, 4)
    expected = layer(tf.constant([[-1, 3]]))
    speed_up(layer)
    for dtype in ("int32", "int64", "float32"):
        np.testing.assert_array_equal(layer(tf.constant([[-1, 3]], dtype)), expected)
    with pytest.raises(Exception, match="is not in"):
        layer(tf.constant([[2**32 + 1]], "int64"))


@pytest.mark.parametrize("name", LAYERS)
def test_eager_calls_are_those_of_keras(name):
    import tensorflow as tf

    model = _model(LAYERS[name]("float32"))
    x = np.random.default_rng(0).standard_normal((2, 3, 128)).astype("float32")
    expected = model(x)
    speed_up(model)
    with fused_regions(), tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x))
    assert all(g is not None for g in tape.gradient(loss, [v.value for v in model.weights]))
    np.testing.assert_array_equal(model(x), expected)


def test_an_activation_that_is_changed_later_is_used():
    layer = keras.layers.Dense(128, activation="gelu")
    model = _model(layer)
    speed_up(model)
    layer.activation = keras.activations.relu
    with fused_regions():
        _, (values, *_) = _values_and_gradients(model, keras.ops.ones((1, 2, 128)))
    assert values.min() == 0


class Doubled(keras.layers.Dense):
    """A layer with a method of its own."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs)


class Notes(keras.layers.Layer):
    """Notes for every trace whether it trains, uses regions, and lets blocks share a trace."""

    def __init__(self):
        super().__init__()
        self.found = []

    def call(self, inputs, training=False):
        self.found.append((bool(training), regions.in_region(), in_own_graph()))
        return inputs


def test_steps_use_what_exports_do_not(tmp_path):
    notes = Notes()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(notes(inputs)))
    model.compile("sgd", "mse")
    speed_up_steps(model)
    x, y = np.ones((4, 4)), np.ones((4, 1))

    class Export(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.export(tmp_path / "model", verbose=False)

    notes.found.clear()
    model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[Export()])
    model.predict(x, verbose=0)
    training, validation, others = (True, True, True), (False, False, True), (False, False, False)
    assert set(notes.found) == {training, validation, others}


def test_other_layers_are_left_alone():
    layers = [
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(64, activation="gelu"),  # too few units
        keras.layers.Dense(128, activation="gelu", use_bias=False),
        keras.layers.LayerNormalization(center=False),
        keras.layers.LayerNormalization(epsilon=0.0),
        keras.layers.LayerNormalization(dtype="float64"),
        Doubled(128, activation="gelu"),
        keras.layers.Dropout(0.1),  # of a model without wide layers
        keras.layers.SpatialDropout1D(0.1),
    ]
    for layer in layers:
        speed_up(_model(layer))
        assert "call" not in vars(layer), layer
    speed_up(keras.layers.Dense(128, activation="gelu"))  # without weights yet
    dropout = keras.layers.Dropout(0.1, noise_shape=(None, 1, None))
    _speed_up_beside_a_norm(dropout)
    assert "call" not in vars(dropout)


@pytest.mark.slow
def test_a_bert_trains_alike_with_regions():
    import keras_hub

    def losses(active):
        keras.utils.set_random_seed(0)
        backbone = keras_hub.models.BertBackbone(
            vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=128, intermediate_dim=128,
            max_sequence_length=16, dropout=0.0,
        )  # fmt: skip
        if active:
            speed_up(backbone)
        model = keras.Model(backbone.input, keras.layers.Dense(2)(backbone.output["pooled_output"]))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss)
        speed_up_steps(model)
        rng = np.random.default_rng(0)
        found = []
        for width in (7, 12, 7):  # batches of other widths, as of texts
            tokens = rng.integers(1, 50, (4, width))
            x = {"token_ids": tokens, "segment_ids": 0 * tokens, "padding_mask": tokens > 9}
            found.append(float(model.train_on_batch(x, np.array([0, 1, 1, 0]))))
        return found

    np.testing.assert_allclose(losses(True), losses(False), rtol=2e-5)
