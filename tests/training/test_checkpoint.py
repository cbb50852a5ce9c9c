"""A resumed training is bit-for-bit identical to an uninterrupted one."""

import dataclasses

import keras
import numpy as np
import pytest
from safetensors import safe_open

import kerasft
from kerasft.errors import DamagedFileError
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.runs.weights import write_tensors
from kerasft.training.callbacks import BestWeights
from kerasft.training.checkpoint import TrainingState, load_state, make_arrays, save_state
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context
from kerasft.training.loop import train


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


def run_training(recipe, config, *, state=None, kill=None):
    """Trains a new model, as a new process would; returns weights and history."""
    keras.utils.set_random_seed(config.seed)
    data = kerasft.load_data(config)
    context = make_context(config, data, CompiledModels(recipe.build_model(config, data)))
    options = {"make_callbacks": lambda phase, epochs: [KillAfter(kill)]} if kill else {}
    try:
        train(context, state=state, **options)
    except KilledError:
        return None, context.recorder.history
    return [v.numpy() for v in context.model.weights], context.recorder.history


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def without_times(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture
def config(preset, reviews):
    def make(**changes):
        quick = {
            "preset": preset("bert"), "dataset": reviews, "epochs": 3, "head_epochs": 2,
            "sequence_length": 16, "batch_size": 8, "trainable_blocks": 1, "dropout": 0.3,
            "patience": 0,
        }  # fmt: skip
        return minilm_tickets.Config(**{**quick, **changes})

    return make


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_training_killed_in_each_phase_resumes_bit_for_bit(config, tmp_path, schedule):
    config = config(learning_rate_schedule=schedule)
    expected, history = run_training(minilm_tickets, config)
    state = tmp_path / "state.safetensors"
    assert run_training(minilm_tickets, config, state=state, kill=1)[0] is None
    assert run_training(minilm_tickets, config, state=state, kill=4)[0] is None
    weights, after = run_training(minilm_tickets, config, state=state)
    assert same(weights, expected)
    assert without_times(after) == without_times(history)


@pytest.mark.slow
def test_a_training_of_more_epochs_continues_one_of_fewer(config, tmp_path):
    """A rung of Hyperband: at a constant rate it equals the training in one piece."""
    few = config(head_epochs=1, epochs=1, learning_rate_schedule="constant", warmup_fraction=0.0)
    many = dataclasses.replace(few, epochs=3)
    state = tmp_path / "state.safetensors"
    run_training(minilm_tickets, few, state=state)
    weights, history = run_training(minilm_tickets, many, state=state)
    expected, whole = run_training(minilm_tickets, many)
    assert same(weights, expected)
    assert without_times(history) == without_times(whole)


def test_images_with_augmentation_and_batch_norm_resume_bit_for_bit(preset, photos, tmp_path):
    config = resnet_digits.Config(
        preset=preset("resnet"), dataset=photos, image_size=16, epochs=2, head_epochs=0,
        batch_size=8, augmentation="strong", freeze_batch_norm=False, patience=0,
    )  # fmt: skip
    expected, _ = run_training(resnet_digits, config)
    state = tmp_path / "state.safetensors"
    run_training(resnet_digits, config, state=state, kill=1)
    assert same(run_training(resnet_digits, config, state=state)[0], expected)


@pytest.mark.slow
def test_early_stopping_resumes(config, tmp_path):
    config = config(
        patience=2, epochs=8, learning_rate=1e-9, head_epochs=0, monitor="val_f1",
        trainable_blocks=0,
    )  # fmt: skip
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


def test_a_damaged_state_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    assert load_state(path) is None
    path.write_bytes(b"no state")
    with pytest.raises(DamagedFileError, match=r"state\.safetensors is damaged"):
        load_state(path)


@pytest.fixture
def small_state(tmp_path):
    """The state of a real, tiny training, and its file."""
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    best_weights = BestWeights(layer.trainable_weights, "val_loss", "min", patience=3)
    best_weights.best, best_weights.best_epoch = (-0.5, -0.5), 0
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(layer.trainable_weights)
    weights = [value.numpy() for value in layer.trainable_weights]
    groups = {
        "weights": weights,
        "seeds": [keras.random.SeedGenerator(7).state.numpy()],
        "optimizer": [value.numpy() for value in optimizer.variables],
        "best": [value + 1 for value in weights],
    }
    path = tmp_path / "state.safetensors"
    history = [{"epoch": 1, "loss": 0.75, "seconds": 0.1}, {"epoch": 2, "loss": 0.5}]
    save_state(
        path,
        TrainingState(0, 2, history, best_weights.state(), {"rate": 0.001}, make_arrays(groups)),
    )
    return path


def test_the_patience_of_a_phase_is_resumed(tmp_path):
    best_weights = BestWeights([], "val_accuracy", "max", patience=3)
    model = keras.Sequential([keras.layers.Dense(1)])
    for epochs in (((0.9, 0.5),), ((0.4, 1.0), (0.3, 1.0))):  # the second phase is worse
        best_weights.begin_phase()
        best_weights.set_model(model)
        for accuracy, loss in epochs:
            best_weights.on_epoch_end(0, {"val_accuracy": accuracy, "val_loss": loss})
    path = tmp_path / "state.safetensors"
    save_state(path, TrainingState(1, 3, [], best_weights.state(), None, make_arrays({})))
    again = BestWeights([], "val_accuracy", "max", patience=3)
    load_state(path).restore_best(again)
    assert again.state() == best_weights.state()
    assert (again.best_of_phase, again.waited) == ((0.4, -1.0), 1)


def test_an_epoch_as_good_as_the_start_is_better_by_its_loss():
    best_weights = BestWeights([], "val_accuracy", "max", patience=3)
    best_weights.set_model(keras.Sequential([keras.layers.Dense(1)]))
    best_weights.offer_start(268 / 270, 0.01186)
    accuracy = float(np.float32(268 / 270))  # as Keras' metrics have it
    best_weights.on_epoch_end(0, {"val_accuracy": accuracy, "val_loss": 0.01131})
    assert best_weights.best_epoch == 0  # the first after the start, -1


def equal(one, other):
    facts = [{**vars(state), "arrays": None} for state in (one, other)]
    return (
        facts[0] == facts[1]
        and set(one.arrays) == set(other.arrays)
        and all(
            value.dtype == other.arrays[name].dtype and np.array_equal(value, other.arrays[name])
            for name, value in one.arrays.items()
        )
    )


def test_every_flipped_bit_of_a_state_is_refused(small_state):
    """In lengths, names, shapes, facts, the checksum and the values: all of the file."""
    content, whole = small_state.read_bytes(), load_state(small_state)
    refused = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        small_state.write_bytes(damaged)
        try:
            assert equal(load_state(small_state), whole), f"byte {place} trains on differently"
        except DamagedFileError as error:
            refused += 1
            assert "state.safetensors is damaged" in str(error)
    assert refused > 0.99 * len(content)
    small_state.write_bytes(content)
    assert equal(load_state(small_state), whole)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:40]])
def test_a_state_of_another_length_is_refused(small_state, change):
    small_state.write_bytes(change(small_state.read_bytes()))
    with pytest.raises(DamagedFileError, match=r"state\.safetensors is damaged"):
        load_state(small_state)


def test_a_state_without_a_checksum_still_loads(small_state):
    """As kerasft 0.1.0 wrote it; a misspelled checksum is none of these."""
    whole = load_state(small_state)
    with safe_open(small_state, framework="numpy") as file:
        metadata = file.metadata()
    write_tensors(small_state, whole.arrays, {"state": metadata["state"]})
    assert equal(load_state(small_state), whole)
    write_tensors(small_state, whole.arrays, {**metadata, "sha256": "0" * 64})
    with pytest.raises(DamagedFileError, match="checksum mismatch"):
        load_state(small_state)
    renamed = {"state": metadata["state"], "sha257": metadata["sha256"]}
    write_tensors(small_state, whole.arrays, renamed)
    with pytest.raises(DamagedFileError, match="unknown metadata"):
        load_state(small_state)
