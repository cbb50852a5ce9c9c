"""Batches for several devices: equal shares, and the same loss and metrics as one device."""

import keras
import numpy as np
import pytest

from kerasft.data import Batches
from kerasft.data.shared_batches import SharedBatches
from kerasft.models import DataLoss, make_metrics
from kerasft.tasks import Labels

X = np.arange(22, dtype="float32").reshape(11, 2)
Y = np.arange(11) % 3


def whole(weights=None):
    return Batches(X, Y, batch_size=4, shuffle=True, seed=3, sample_weight=weights)


@pytest.mark.parametrize("devices, ranks", [(2, 1), (3, 3), (4, 2)])
def test_processes_share_the_rows_of_every_batch(devices, ranks):
    plain = whole()
    parts = [SharedBatches(whole(), devices=devices, rank=n, ranks=ranks) for n in range(ranks)]
    for index in range(len(plain)):
        x, y = plain.batch(index)
        shares = [part[index] for part in parts]
        assert len({len(share[1]) for share in shares}) == 1
        weights = np.concatenate([share[2] for share in shares])
        assert len(weights) % devices == 0
        examples = weights > 0
        assert np.array_equal(np.concatenate([share[0] for share in shares])[examples], x)
        assert np.array_equal(np.concatenate([share[1] for share in shares])[examples], y)
        assert weights.mean() == pytest.approx(1)


def test_an_epoch_has_its_order():
    shared, plain = SharedBatches(whole(), devices=2), whole()
    shared.epoch = plain.epoch = 5
    assert np.array_equal(shared[0][1], plain.batch(0)[1])
    shared.on_epoch_end()
    assert shared.epoch == 6


def cross_entropy(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 11, dtype="float32")])
def test_rows_of_weight_zero_change_no_metric(weights):
    labels = Labels("classification", names=("a", "b", "c"))
    logits = np.random.default_rng(0).dirichlet(np.ones(3), 11).astype("float32")

    def measure(batches):
        metrics = [*make_metrics(labels), DataLoss(cross_entropy)]
        for index in range(len(batches)):
            x, y, *weight = (
                batches[index] if isinstance(batches, SharedBatches) else batches.batch(index)
            )
            predicted = logits[(x[:, 0] / 2).astype(int)]
            for metric in metrics:
                metric.update_state(y, predicted, sample_weight=weight[0] if weight else None)
        found = {m.name: m.result() for m in metrics}
        return {**found, **found["data_loss"]}

    alone, shared = measure(whole(weights)), measure(SharedBatches(whole(weights), devices=3))
    for name, value in alone.items():
        if name != "row_loss":
            assert float(shared[name]) == pytest.approx(float(value), rel=1e-6), name


def test_the_loss_of_a_filled_batch_is_that_of_its_examples():
    shared = SharedBatches(whole(), devices=3)
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    for index in range(3):
        x, y, weights = shared[index]
        plain_x, plain_y = whole().batch(index)
        mine = model.test_on_batch(x, y, sample_weight=weights, return_dict=True)["loss"]
        model.reset_metrics()
        plain = model.test_on_batch(plain_x, plain_y, return_dict=True)["loss"]
        model.reset_metrics()
        assert mine == pytest.approx(plain, rel=1e-6)
