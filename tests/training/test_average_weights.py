"""The average of the weights is validated, chosen and stored; the weights themselves train on."""

import dataclasses

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

import kerasft
from kerasft.config import ImageConfig
from kerasft.models.dtype_policy import precision
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training import compile_model
from kerasft.training.average_weights import SwapAverages, average_momentum, averaging
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context
from kerasft.training.loop import train
from kerasft.training.optimizers.layer_rates import SGD
from kerasft.tuning.trial_models import TrialModels
from tests.limited_memory import RECIPE
from tests.training.small import fit, image_config, text_config


class Recorded(keras.callbacks.Callback):
    """The trained weights after each step, and those that later callbacks find after an epoch."""

    def __init__(self):
        super().__init__()
        self.begin, self.steps, self.ends = [], [], []

    def values(self):
        return [variable.numpy().copy() for variable in self.model.trainable_variables]

    def on_train_begin(self, logs=None):
        self.begin = self.values()

    def on_epoch_begin(self, epoch, logs=None):
        self.steps.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.steps[-1].append(self.values())

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(self.values())


def averages_of(steps, momentum):
    """The recurrence, from the weights after the first step on."""
    average = steps[0]
    for weights in steps[1:]:
        pairs = zip(average, weights, strict=True)
        average = [momentum * old + (1 - momentum) * new for old, new in pairs]
    return average


def all_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def losses(run, name):
    return [row[name] for row in run.history]


def trained(recipe, config, callbacks=(), **options):
    """The context of a training as a new process would have it."""
    keras.utils.set_random_seed(config.seed)
    with precision(config.precision):
        data = kerasft.load_data(config)
        context = make_context(config, data, CompiledModels(recipe.build_model(config, data)))
        train(context, make_callbacks=lambda phase, epochs: callbacks, **options)
    return context


def column(context, name):
    return [row[name] for row in context.recorder.history]


def weights(context):
    return [variable.numpy() for variable in context.model.weights]


@pytest.fixture
def photo_config(preset, photos):
    return image_config(preset, photos, average_weights="ema")


@pytest.fixture
def config(preset, reviews):
    return text_config(preset, reviews, average_weights="ema", epochs=2, trainable_blocks=-1)


def test_validation_and_later_callbacks_find_the_averages():
    keras.utils.set_random_seed(0)
    x, y = np.random.default_rng(0).standard_normal((2, 12, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(SGD(0.1, use_ema=True, ema_momentum=0.6), "mse")
    model.optimizer.build(model.trainable_variables)
    recorded = Recorded()
    callbacks = [SwapAverages(in_model=False), recorded]
    history = model.fit(
        x, y, batch_size=3, epochs=2, validation_data=(x, y), verbose=0, callbacks=callbacks
    ).history
    first, second = recorded.steps
    for steps, end, loss in zip(
        (first, first + second), recorded.ends, history["val_loss"], strict=True
    ):
        all_close(end, averages_of(steps, 0.6))
        kernel, bias = end
        assert loss == pytest.approx(float(np.square(x @ kernel + bias - y).mean()), rel=1e-4)


@pytest.mark.slow
def test_each_phase_averages_and_ends_with_the_average_of_its_best_epoch(photo_config):
    check_phases(resnet_digits, photo_config)


@pytest.mark.slow
def test_embeddings_are_averaged_too(config):
    check_phases(minilm_tickets, config)


def check_phases(recipe, config):
    # The schedule `plateau` sets the rate of every step, so that each returns to Python.
    config, recorded = dataclasses.replace(config, learning_rate_schedule="plateau"), Recorded()
    context = trained(recipe, config, [recorded])
    head, first, second = recorded.steps
    assert len(first) > 3
    momentum = average_momentum(config, len(first))
    all_close(recorded.ends[0], averages_of(head, momentum))
    all_close(recorded.ends[1], averages_of(first, momentum))
    all_close(recorded.ends[2], averages_of(first + second, momentum))
    pairs = list(zip(first[-1], recorded.ends[1], strict=True))
    assert any(abs(one - other).max() > 1e-4 for one, other in pairs)
    best = recorded.ends[context.best_weights.best_epoch]
    values = weights(context)
    assert all(any(np.array_equal(one, value) for value in values) for one in best)


@pytest.mark.slow
def test_the_weights_train_on_as_without_an_average(photo_config):
    config = dataclasses.replace(photo_config, head_epochs=0)
    averaged = trained(resnet_digits, config)
    plain = trained(resnet_digits, dataclasses.replace(config, average_weights="none"))
    assert column(averaged, "loss") == column(plain, "loss")
    assert column(averaged, "val_loss") != column(plain, "val_loss")


@pytest.mark.slow
def test_a_fit_stores_the_average_that_was_validated(config, tmp_path):
    recorded = Recorded()
    run = fit(minilm_tickets, config, tmp_path, callbacks=[recorded])
    values = load_file(run.path / "weights.safetensors").values()
    best = run.manifest["best_epoch"] - 1
    assert all(any(np.array_equal(one, v) for v in values) for one in recorded.ends[best])
    found = run.metrics["validation"]
    assert found["accuracy"] == pytest.approx(run.history[best]["val_accuracy"], abs=1e-6)
    assert found["loss"] == pytest.approx(run.history[best]["val_loss"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "lion"])
def test_other_optimizers_average_too(config, optimizer):
    recorded = Recorded()
    config = dataclasses.replace(
        config, optimizer=optimizer, head_epochs=0, epochs=1, learning_rate_schedule="plateau"
    )
    trained(minilm_tickets, config, [recorded])
    (steps,) = recorded.steps
    all_close(recorded.ends[0], averages_of(steps, average_momentum(config, len(steps))))


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C when an epoch begins."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_an_interrupted_training_resumes_bit_for_bit(photo_config, tmp_path):
    config = dataclasses.replace(photo_config, head_epochs=0)
    check_resumed(resnet_digits, config, tmp_path / "state.safetensors", 1)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("epoch", [1, 2])  # 1: at the end of the head phase
def test_a_training_on_texts_resumes_in_each_phase(config, tmp_path, epoch, precision):
    config = dataclasses.replace(config, precision=precision)
    check_resumed(minilm_tickets, config, tmp_path / "state.safetensors", epoch)


def check_resumed(recipe, config, state, epoch):
    whole = trained(recipe, config)
    with pytest.raises(KeyboardInterrupt):
        trained(recipe, config, [Interrupt(epoch)], state=state)
    resumed = trained(recipe, config, state=state)
    for name in ("loss", "val_loss"):
        assert column(resumed, name) == column(whole, name)
    assert all(map(np.array_equal, weights(resumed), weights(whole)))


@pytest.mark.slow
def test_a_scaled_loss_whose_first_steps_are_skipped_averages_no_zeros(preset, photos):
    """The loss scale of float16 begins so high that a first epoch can have no finite gradient."""
    config = image_config(
        preset, photos, average_weights="ema", precision="mixed_float16", epochs=1, head_epochs=0
    )
    recorded = Recorded()
    trained(resnet_digits, config, [Overflow(), recorded])
    assert all(map(np.array_equal, recorded.ends[0], recorded.begin))


class Overflow(keras.callbacks.Callback):
    """Scales the loss so that no gradient is finite."""

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.dynamic_scale.assign(1e38)


@pytest.mark.slow
def test_gradients_of_smaller_batches_are_averaged_over_the_same_steps(tmp_path, photos):
    (tmp_path / "limited.py").write_text(RECIPE, encoding="utf-8")
    whole, halved = (
        kerasft.fit(
            str(tmp_path / "limited.py"), runs_dir=tmp_path, progress=False, dataset=photos,
            name=str(memory), memory=memory, average_weights="ema",
        )
        for memory in (26, 13)
    )  # fmt: skip
    assert halved.manifest["batches_per_step"] == 2
    np.testing.assert_allclose(losses(halved, "loss"), losses(whole, "loss"), rtol=1e-4)
    np.testing.assert_allclose(losses(halved, "val_loss"), losses(whole, "val_loss"), rtol=1e-4)


@pytest.mark.slow
def test_trials_of_a_search_share_a_graph_and_begin_their_averages_anew(preset, photos):
    base = image_config(preset, photos, average_weights="ema", learning_rate=1e-2)
    trial_models = TrialModels(resnet_digits, base.seed)
    data = trial_models.data(base)
    for config in (base, dataclasses.replace(base, batch_size=5), base):
        shared = make_context(config, data, trial_models.compiled_models(config, data))
        train(shared)
        alone = trained(resnet_digits, config)
        assert column(shared, "val_loss") == pytest.approx(column(alone, "val_loss"), rel=1e-6)
        all_close(weights(shared), weights(alone))
    assert trial_models.num_compiled == 1


def test_keras_own_fit_ends_with_the_average(preset, photos):
    config = image_config(preset, photos, average_weights="ema", epochs=1, head_epochs=0)
    data = kerasft.load_data(config)
    model = resnet_digits.build_model(config, data)
    compile_model(model, config, data)
    recorded = Recorded()
    batch = config.batch_size
    model.fit(data.train.x, data.train.y, batch_size=batch, verbose=0, callbacks=[recorded])
    (steps,) = recorded.steps
    expected = averages_of(steps, average_momentum(config, len(steps)))
    all_close([variable.numpy() for variable in model.trainable_variables], expected)


@pytest.mark.parametrize(("steps", "expected"), [(20, 10 / 11), (1, 0.5)])
def test_the_mean_age_of_the_average_is_half_an_epoch(steps, expected):
    config = ImageConfig(average_weights="ema")
    assert average_momentum(config, steps) == pytest.approx(expected)


def test_nothing_is_averaged_by_default(preset, photos):
    config = image_config(preset, photos)
    assert average_momentum(config, 20) == 0 and averaging(config, resumed=False) == []
    data = kerasft.load_data(config)
    model = resnet_digits.build_model(config, data)
    compile_model(model, config, data)
    assert not model.optimizer.use_ema
