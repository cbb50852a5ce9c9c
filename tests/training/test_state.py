"""A training that goes on is the training that never stopped."""

import keras
import numpy as np
import pytest

from kerasft.errors import DamagedFileError
from kerasft.models import choose_monitor
from kerasft.models.freezing import changing_weights
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training.callbacks import BestWeights
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.loop import train
from kerasft.training.run_record import Recorder
from kerasft.training.state import load_state


class KilledError(Exception):
    """Ends a training between two epochs, as a signal would."""


class KillAfter(keras.callbacks.Callback):
    """Raises when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KilledError


def fresh(recipe, config):
    keras.utils.set_random_seed(config.seed)
    data = recipe.load_data(config)
    model = recipe.build_model(config, data)
    return (
        data,
        model,
        BestWeights(changing_weights(model), *choose_monitor(config), config.patience),
    )


def run_training(recipe, config, *, state=None, kill=None):
    """Trains in a model of its own, as a new process would; returns weights and history."""
    data, model, best_weights = fresh(recipe, config)
    recorder = Recorder(None)
    make_callbacks = (lambda phase, epochs: [KillAfter(kill)]) if kill is not None else None
    options = {"make_callbacks": make_callbacks} if make_callbacks else {}
    try:
        train(CompiledModels(model), config, data, best_weights, recorder, state=state, **options)
    except KilledError:
        return None, recorder.history
    return [v.numpy() for v in model.weights], recorder.history


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def without_times(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture
def config(preset, reviews):
    def make(**changes):
        quick = {
            "preset": preset("bert"), "dataset": reviews, "epochs": 4, "head_epochs": 2,
            "batch_size": 8, "trainable_blocks": 1, "dropout": 0.3, "patience": 0,
        }  # fmt: skip
        return minilm_tickets.Config(**{**quick, **changes})

    return make


@pytest.mark.parametrize(("schedule", "kill"), [("cosine", 1), ("plateau", 4)])
def test_a_killed_training_goes_on_as_if_nothing_had_been(config, tmp_path, kill, schedule):
    config = config(learning_rate_schedule=schedule)
    expected, history = run_training(minilm_tickets, config)
    state = tmp_path / "state.safetensors"
    run_training(minilm_tickets, config, state=state, kill=kill)
    weights, after = run_training(minilm_tickets, config, state=state)
    assert same(weights, expected)
    assert without_times(after) == without_times(history)


def test_a_training_of_more_epochs_goes_on_from_that_of_fewer(config, tmp_path):
    """A rung of Hyperband: at a constant rate it equals the training in one piece."""
    few = config(epochs=2, learning_rate_schedule="constant", warmup_fraction=0.0)
    many = config(epochs=5, learning_rate_schedule="constant", warmup_fraction=0.0)
    state = tmp_path / "state.safetensors"
    run_training(minilm_tickets, few, state=state)
    weights, history = run_training(minilm_tickets, many, state=state)
    expected, whole = run_training(minilm_tickets, many)
    assert same(weights, expected)
    assert without_times(history) == without_times(whole)


def test_pictures_with_augmentation_and_batch_norm_go_on_too(preset, photos, tmp_path):
    config = resnet_digits.Config(
        preset=preset("resnet"), dataset=photos, image_size=32, epochs=3, head_epochs=1,
        batch_size=8, augmentation="strong", freeze_batch_norm=False, patience=0,
    )  # fmt: skip
    expected, _ = run_training(resnet_digits, config)
    state = tmp_path / "state.safetensors"
    run_training(resnet_digits, config, state=state, kill=2)
    assert same(run_training(resnet_digits, config, state=state)[0], expected)


def test_early_stopping_goes_on_where_it_was(config, tmp_path):
    config = config(patience=2, epochs=8, learning_rate=1e-9, head_epochs=0, monitor="val_f1")
    expected, history = run_training(minilm_tickets, config)
    assert len(history) < 8  # it stopped early
    state = tmp_path / "state.safetensors"
    run_training(minilm_tickets, config, state=state, kill=1)
    weights, after = run_training(minilm_tickets, config, state=state)
    assert same(weights, expected)
    assert len(after) == len(history)
    again = run_training(minilm_tickets, config, state=state)  # a finished one does nothing more
    assert same(again[0], expected)
    assert len(again[1]) == len(history)


def test_a_damaged_state_is_told(tmp_path):
    path = tmp_path / "state.safetensors"
    assert load_state(path) is None
    path.write_bytes(b"no state")
    with pytest.raises(DamagedFileError, match=r"state\.safetensors is damaged"):
        load_state(path)
