"""Early stopping on given values, without a training."""

import keras
import pytest

from kerasft.training.callbacks import BestWeights


def stopped(epochs, patience=2, start=None):
    """Return early stopping after epochs of (val_accuracy, val_loss), and a start like them."""
    early_stopping = BestWeights([], "val_accuracy", "max", patience)
    model = keras.Sequential([keras.layers.Dense(1)])
    early_stopping.set_model(model)
    model.stop_training = False
    if start is not None:
        early_stopping.offer_start(*start)
    for epoch, (accuracy, loss) in enumerate(epochs):
        early_stopping.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
        if model.stop_training:
            break
    return early_stopping


@pytest.mark.parametrize(
    ("epochs", "best_epoch", "stopped_epoch"),
    [
        # The accuracy can only be tied while the loss still falls.
        ([(1.0, 0.5), (1.0, 0.4), (1.0, 0.3), (1.0, 0.2), (1.0, 0.1)], 4, None),
        ([(1.0, 0.5), (1.0, 0.4), (1.0, 0.4), (1.0, 0.6), (1.0, 0.1)], 1, 3),
        ([(0.9, 0.5), (0.8, 0.1), (0.8, 0.05), (1.0, 0.1)], 0, 2),
        ([(0.9, 0.5), (0.8, 0.1), (0.9, 0.4), (0.8, 0.1), (0.7, 0.1)], 2, 4),
        ([(float("nan"), 0.5), (0.8, 0.1)], 1, None),
    ],
)
def test_the_patience_counts_the_epochs_after_the_best_one(epochs, best_epoch, stopped_epoch):
    found = stopped(epochs)
    assert (found.best_epoch, found.stopped_epoch) == (best_epoch, stopped_epoch)
    if stopped_epoch is not None:
        assert stopped_epoch - best_epoch == found.patience


def test_the_patience_of_a_phase_counts_from_its_own_best_epoch():
    early_stopping = stopped([(0.5, 1.0), (0.9, 0.5)])
    early_stopping.begin_phase()
    model = early_stopping.model
    # Worse than the phase before, but rising: the phase goes on, and ends above it.
    for epoch, accuracy in enumerate((0.4, 0.6, 0.5, 0.7, 0.95), start=2):
        early_stopping.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})
        assert not model.stop_training
        assert early_stopping.best_epoch == (6 if accuracy == 0.95 else 1)
    for epoch in (7, 8):
        early_stopping.on_epoch_end(epoch, {"val_accuracy": 0.6, "val_loss": 1.0})
    assert model.stop_training
    assert (early_stopping.best_epoch, early_stopping.stopped_epoch) == (6, 8)


@pytest.mark.parametrize(
    ("start", "best_epoch"),
    [
        ((0.7, 0.1), 1),
        ((0.8, 0.6), 1),
        ((0.8, 0.4), -1),  # a tie with a smaller loss
        ((0.9, 0.9), -1),
        ((float("nan"), 0.1), 1),
    ],
)
def test_the_start_can_be_better_than_every_epoch(start, best_epoch):
    found = stopped([(0.6, 0.5), (0.8, 0.5)], start=start)
    assert (found.best_epoch, found.stopped_epoch) == (best_epoch, None)


def test_the_start_is_restored_if_no_epoch_is_better():
    variable = keras.Variable(1.0)
    found = BestWeights([variable], "val_loss", "min", 0)
    found.offer_start(0.3, 0.3)
    variable.assign(2.0)
    found.on_epoch_end(0, {"val_loss": 0.4})
    found.restore()
    assert float(variable) == 1.0
