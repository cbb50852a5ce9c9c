"""The fused Adam against Keras' own, and against its formula."""

import keras
import numpy as np
import pytest

from kerasft.training.optimizers.adam import FusedAdam

RATE, DECAY, LIMIT = 0.05, 0.1, 0.7


def small_model():
    keras.utils.set_random_seed(0)
    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(50, 4)(words)
    x = keras.layers.LayerNormalization()(keras.layers.Dense(6, activation="tanh")(x))
    return keras.Model(words, keras.layers.Dense(3)(keras.ops.mean(x, axis=1)))


def train(optimizer, words, steps=5, trained=slice(None)):
    model = small_model()
    for layer in model.layers[: trained.start or 0]:
        layer.trainable = False
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    for step in range(steps):
        model.train_on_batch(words[step], np.arange(len(words[step])) % 3)
    return [variable.numpy() for variable in model.weights]


def batches(steps=5, size=6, length=4, vocabulary=50):
    return np.random.default_rng(1).integers(0, vocabulary, (steps, size, length))


@pytest.mark.parametrize("options", [{}, {"weight_decay": DECAY}, {"global_clipnorm": LIMIT},
                                     {"weight_decay": DECAY, "global_clipnorm": 0.01}])  # fmt: skip
def test_dense_weights_are_those_of_keras(options):
    # Frozen embeddings: everything that is trained has a dense gradient.
    words = batches()
    ours = train(FusedAdam(RATE, **options), words, trained=slice(2, None))
    theirs = train(keras.optimizers.Adam(RATE, **options), words, trained=slice(2, None))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_table_whose_rows_are_all_used_is_that_of_keras():
    words = np.stack([np.random.default_rng(n).permutation(50).reshape(10, 5) for n in range(5)])
    options = {"weight_decay": DECAY, "global_clipnorm": LIMIT}
    ours = train(FusedAdam(RATE, **options), words)
    theirs = train(keras.optimizers.Adam(RATE, **options), words)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_moving_averages_are_those_of_keras():
    words, options = batches(), {"use_ema": True, "ema_momentum": 0.7}
    ours, theirs = FusedAdam(RATE, **options), keras.optimizers.Adam(RATE, **options)
    for optimizer in (ours, theirs):
        train(optimizer, words, trained=slice(2, None))
        optimizer.finalize_variable_values(optimizer._trainable_variables)
    for one, other in zip(ours._trainable_variables, theirs._trainable_variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


def test_rows_that_no_batch_uses_stay_as_they_are():
    words = batches(vocabulary=20)
    before = small_model().weights[0].numpy()
    after = train(FusedAdam(RATE, weight_decay=DECAY), words)[0]
    used = np.unique(words)
    assert len(used) < 50
    unused = np.setdiff1d(np.arange(50), used)
    np.testing.assert_array_equal(after[unused], before[unused])
    assert (after[used] != before[used]).all()


def test_the_first_step_of_a_row_is_as_large_as_the_rate():
    words = batches(steps=1)
    before = small_model().weights[0].numpy()
    after = train(FusedAdam(RATE), words, steps=1)[0]
    moved = np.abs(after - before)[np.unique(words)]
    np.testing.assert_allclose(moved, RATE, rtol=1e-2)


def test_a_gradient_that_is_no_number_is_not_hidden_by_clipping():
    model = small_model()
    model.compile(FusedAdam(RATE, global_clipnorm=LIMIT), lambda y, given: given * float("inf"))
    model.train_on_batch(batches()[0], np.zeros(6))
    assert all(np.isnan(v.numpy()).any() for v in model.trainable_variables)


@pytest.mark.slow
def test_options_that_it_has_no_kernel_for_are_those_of_keras():
    words = batches()
    for options in ({"amsgrad": True}, {"clipnorm": 0.1}):
        ours = train(FusedAdam(RATE, **options), words)
        theirs = train(keras.optimizers.Adam(RATE, **options), words)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
