"""Numbers that a compiled graph reads when it runs."""

import keras
import numpy as np
import pytest

from kerasft.models import MutableDropout, MutableL1L2, MutableScalar


def test_a_mutable_scalar_returns_the_exact_value():
    scalar = MutableScalar(0.1)
    assert float(scalar) == 0.1
    scalar.set(3e-5)
    assert float(scalar) == 3e-5


def test_dropout_follows_its_rate_without_a_new_trace():
    layer = MutableDropout(0.0)
    model = keras.Sequential([keras.Input((1000,)), layer])
    traces = []

    def drop(x):
        traces.append(1)
        return model(x, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        drop = tensorflow.function(drop)
    ones = np.ones((8, 1000), "float32")
    for rate in (0.0, 0.3, 0.6):
        layer.scalar.set(rate)
        out = np.asarray(drop(ones))
        assert np.mean(out == 0) == pytest.approx(rate, abs=0.03)
        assert np.mean(out) == pytest.approx(1, abs=0.05)
    assert len(traces) == 1 or keras.backend.backend() != "tensorflow"
    assert np.array_equal(model(ones), ones)
    assert not layer.weights


def test_the_penalty_is_that_of_keras():
    x = np.array([[1.0, -2.0], [0.5, 0.0]], "float32")
    ours = float(MutableL1L2(0.1, 0.01)(x))
    assert ours == pytest.approx(float(keras.regularizers.L1L2(0.1, 0.01)(x)), rel=1e-6)


def test_a_model_with_mutable_scalars_is_saved_and_loaded_by_keras(tmp_path):
    layers = [
        keras.Input((3,)),
        MutableDropout(0.25),
        keras.layers.Dense(2, kernel_regularizer=MutableL1L2(0.0, 0.5)),
    ]
    model = keras.Sequential(layers)
    model.layers[0].scalar.set(0.75)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(again.layers[0].scalar) == 0.75
    assert again.layers[1].kernel_regularizer.get_config() == {"l1": 0.0, "l2": 0.5}
