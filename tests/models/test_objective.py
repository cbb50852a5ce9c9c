"""Losses, metrics and penalties."""

import keras
import numpy as np
import pytest
from sklearn import metrics

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import Labels
from kerasft.modalities.text_features import pool_tokens, text_features
from kerasft.models import DataLoss, MacroScore, choose_monitor, head, make_loss, make_metrics
from kerasft.models.backbones import load_backbone

CLASSES = Labels("classification", ("a", "b", "c"))


@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
def test_macro_score_is_that_of_scikit_learn(kind):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    predictions = rng.random((200, 5)).astype("float32")  # class 4 never occurs in the truth
    score = MacroScore(kind, 5, name=kind)
    for part in range(0, 200, 32):  # in batches, as training counts them
        score.update_state(truth[part : part + 32], predictions[part : part + 32])
    expected = metrics.precision_recall_fscore_support(
        truth, predictions.argmax(1), average="macro", zero_division=0.0
    )
    index = ["precision", "recall", "f1"].index(kind)
    assert float(score.result()) == pytest.approx(expected[index], abs=1e-5)


def test_macro_score_of_several_labels_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (50, 4))
    predictions = rng.random((50, 4)).astype("float32")
    score = MacroScore("f1", 4, multilabel=True, name="f1")
    score.update_state(truth, predictions)
    expected = metrics.f1_score(truth, predictions >= 0.5, average="macro")
    assert float(score.result()) == pytest.approx(expected, abs=1e-5)


def test_smoothed_loss_is_that_of_the_definition():
    config = ImageConfig(label_smoothing=0.3)
    y, p = np.array([0, 2]), np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
    loss = np.mean(make_loss(config, CLASSES)(y, p))
    target = np.eye(3)[y] * 0.7 + 0.1
    assert loss == pytest.approx(-(target * np.log(p)).sum(1).mean(), abs=1e-5)


def test_regression_loss_is_in_standard_deviations_and_metrics_in_the_unit():
    labels = Labels("regression", (), mean=100.0, std=10.0)
    y, p = np.array([100.0, 120.0], "float32"), np.array([[110.0], [120.0]], "float32")
    assert np.mean(make_loss(ImageConfig(task="regression"), labels)(y, p)) == pytest.approx(0.5)
    found = {}
    for metric in make_metrics(labels):
        metric.update_state(y, p)
        found[metric.name] = float(metric.result())
    assert found["mae"] == pytest.approx(5.0)
    assert found["rmse"] == pytest.approx(50**0.5)
    assert found["r2"] == pytest.approx(metrics.r2_score(y, p[:, 0]))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("squared", [4.0, 0.25]), ("absolute", [2.0, 0.5]), ("huber", [1.5, 0.125])],
)
def test_losses_of_numbers_are_those_of_their_definitions(loss, expected):
    labels = Labels("regression", (), mean=100.0, std=10.0)
    y, p = np.array([100.0, 120.0], "float32"), np.array([[120.0], [115.0]], "float32")
    found = make_loss(ImageConfig(task="regression", loss=loss), labels)(y, p)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5)


def test_the_focal_loss_is_that_of_its_definition_for_classes_and_for_shares():
    make = make_loss(ImageConfig(loss="focal"), CLASSES)
    y, p = np.array([0, 2]), np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
    right = p[[0, 1], y]
    expected = -((1 - right) ** 2) * np.log(right)
    np.testing.assert_allclose(np.asarray(make(y, p)), expected, rtol=1e-5)
    shares = np.eye(3, dtype="float32")[y]
    np.testing.assert_allclose(np.asarray(make(shares, p)), expected, rtol=1e-5)


def test_the_metrics_of_mixed_examples_look_at_their_largest_share():
    y = np.array([[0.6, 0.4, 0.0], [0.1, 0.0, 0.9]], "float32")
    p = np.array([[0.7, 0.2, 0.1], [0.8, 0.1, 0.1]], "float32")
    for metric in make_metrics(CLASSES):
        metric.update_state(y, p)
        mixed = float(metric.result())
        metric.reset_state()
        metric.update_state(y.argmax(1), p)
        assert mixed == pytest.approx(float(metric.result()))


def test_mixed_labels_count_as_those_that_have_half_of_an_example():
    labels = Labels("multilabel", ("a", "b", "c"))
    y = np.array([[0.6, 0.4, 1.0], [0.1, 0.0, 0.9]], "float32")
    p = np.array([[0.7, 0.6, 0.8], [0.2, 0.1, 0.7]], "float32")
    for metric in make_metrics(labels):
        metric.update_state(y, p)
        mixed = float(metric.result())
        metric.reset_state()
        metric.update_state(np.rint(y), p)
        assert mixed == pytest.approx(float(metric.result())) and mixed > 0


def test_a_logarithm_is_learnt_from_but_measured_in_the_unit():
    labels = Labels("regression", (), mean=5.0, std=0.5, transform="log")
    config = ImageConfig(task="regression", target_transform="log")
    y, p = np.array([100.0, 200.0], "float32"), np.array([[100.0], [100.0]], "float32")
    expected = (np.log(2) / 0.5) ** 2 / 2
    assert np.mean(make_loss(config, labels)(y, p)) == pytest.approx(expected, rel=1e-5)
    assert choose_monitor(config) == ("val_loss", "min")
    features = keras.Input((3,))
    model = keras.Model(features, head(features, config, labels))
    inside = keras.Model(features, model.get_layer("unit").output)
    x = np.random.default_rng(0).random((4, 3)).astype("float32")
    assert model.predict(x, verbose=0) == pytest.approx(np.exp(inside.predict(x, verbose=0)))


def test_the_data_loss_is_the_loss_without_penalties():
    def histories(regularizer):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,))
        x = keras.layers.Dense(2, kernel_regularizer=regularizer)(inputs)
        model = keras.Model(inputs, keras.layers.Activation("softmax")(x))
        loss = make_loss(ImageConfig(), CLASSES)
        model.compile(keras.optimizers.SGD(0.5), loss, weighted_metrics=[DataLoss(loss)])
        rng = np.random.default_rng(0)
        x, y = rng.random((10, 3)).astype("float32"), rng.integers(0, 2, 10)
        weights = rng.random(10).astype("float32")
        # Batches of 4, 4 and 2, weighted.
        return model, model.fit(x, y, sample_weight=weights, batch_size=4, epochs=2, verbose=0)

    _, plain = histories(None)
    assert plain.history["data_loss"] == pytest.approx(plain.history["loss"], rel=1e-5)
    _, penalized = histories(keras.regularizers.L2(0.2))
    first = penalized.history["loss"][0] - penalized.history["data_loss"][0]
    assert first > 0.01


def test_vectors_of_texts_have_the_length_of_the_setting(preset):
    norms = {}
    for norm in ("none", "rms"):
        config = TextConfig(preset=preset("bert"), sequence_length=16, feature_norm=norm)
        model = keras.Model(*text_features(load_backbone(config), config))
        tokens = {"token_ids": np.array([[2, 7, 9, 3]]), "segment_ids": np.zeros((1, 4), "int32")}
        vector = model.predict({**tokens, "padding_mask": np.ones((1, 4), "int32")}, verbose=0)
        norms[norm] = vector / np.linalg.norm(vector)
        if norm == "rms":
            assert np.square(vector).mean() == pytest.approx(1, rel=1e-4)
    assert np.allclose(norms["none"], norms["rms"], atol=1e-5)  # one direction


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_reads_real_tokens_only(side):
    states = np.arange(24, dtype="float32").reshape(1, 6, 4)
    real = slice(0, 3) if side == "right" else slice(3, 6)
    mask = np.zeros((1, 6), "int32")
    mask[:, real] = 1
    assert np.allclose(pool_tokens(states, mask, "mean"), states[:, real].mean(1))
    assert np.allclose(pool_tokens(states, mask, "last"), states[:, real][:, -1])
    assert np.allclose(pool_tokens(states, mask, "first"), states[:, 0])
