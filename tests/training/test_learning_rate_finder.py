"""The learning rate finder: its suggestions, and that it restores the model."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.insight import suggest
from kerasft.models.blocks import flatten_layers
from kerasft.recipes import resnet_digits
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.learning_rate_finder import find_rates, has_diverged
from kerasft.training.phases import plan_phases


@pytest.fixture
def config(preset, photos):
    return resnet_digits.Config(
        preset=preset("resnet"), dataset=photos, image_size=16, trainable_blocks=1,
        head_epochs=1, epochs=1, batch_size=8,
    )  # fmt: skip


def curve(best=1e-2, steps=100):
    """A loss that is flat, falls to the best rate, and blows up after it."""
    rates = np.geomspace(1e-6, 10, steps)
    place = np.log10(rates / best)
    losses = 2.0 - 1.5 / (1 + np.exp(-3 * (place + 1))) + np.exp(2.5 * place - 2)
    return rates.tolist(), losses.tolist()


@pytest.mark.parametrize("best", [1e-3, 1e-2, 1e-1])
def test_the_suggestion_is_on_the_slope_before_the_minimum(best):
    rates, losses = curve(best)
    kept = [i for i, loss in enumerate(losses) if loss < 3 * min(losses)]
    valley, steepest = suggest([rates[i] for i in kept], [losses[i] for i in kept])
    bottom = rates[int(np.argmin(losses))]
    assert bottom / 100 < valley < bottom
    assert bottom / 100 < steepest < bottom


@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_without_a_fall_the_suggestion_is_below_the_rise(noise):
    rates = np.geomspace(1e-6, 1e-1, 100)
    # After a head phase: a flat loss, which leaves its level for good at 5e-3.
    losses = 0.4 + noise * np.random.default_rng(0).normal(size=100)
    losses[rates > 5e-3] += np.linspace(0.15, 1.0, int((rates > 5e-3).sum()))
    rate, _ = suggest(list(rates), list(losses))
    assert 5e-4 < rate < 2e-3


def test_a_loss_near_zero_does_not_end_the_ramp_by_its_noise():
    noise = [0.002, 0.009, 0.004, 0.011, 0.003, 0.01, 0.005, 0.008] * 5
    assert not any(has_diverged(noise[:n], 40) for n in range(1, 41))
    assert has_diverged([*noise, 0.1], 40)
    assert has_diverged([*noise, float("nan")], 40)
    assert not has_diverged(
        [2.3] * 10 + [0.2] * 10 + [0.7], 40
    )  # a fall may be noisy at its bottom
    assert has_diverged([2.3] * 10 + [0.2] * 10 + [3.5], 40)


def test_a_short_or_flat_curve_gives_a_rate_too():
    for losses in ([1.0], [1.0, 0.9], [1.0] * 30):
        rates = np.geomspace(1e-6, 1, len(losses)).tolist()
        valley, steepest = suggest(rates, losses)
        assert 1e-6 <= valley <= 1 and 1e-6 <= steepest <= 1


def test_the_model_is_restored(config):
    keras.utils.set_random_seed(0)
    data = kerasft.load_data(config)
    model = resnet_digits.build_model(config, data)
    before = [variable.numpy() for variable in model.weights]
    flags = [layer.trainable for layer in flatten_layers(model)]
    lines = []
    curves = find_rates(CompiledModels(model), config, data, steps=30, log=lines.append)
    assert [c.phase for c in curves] == ["head", "main"]
    assert len(lines) == 2
    for variable, value in zip(model.weights, before, strict=True):
        if "seed_generator" not in variable.path:
            np.testing.assert_array_equal(variable.numpy(), value)
    assert [layer.trainable for layer in flatten_layers(model)] == flags


@pytest.mark.slow
def test_a_fit_with_auto_is_the_fit_with_what_it_found(config, tmp_path):
    auto = dataclasses.replace(config, learning_rate="auto")
    run = kerasft.fit(resnet_digits, auto, runs_dir=tmp_path, progress=False)
    found = run.config["learning_rate"], run.config["head_learning_rate"]
    assert all(isinstance(rate, float) for rate in found)
    assert (run.path / "rates.png").exists()
    named = dataclasses.replace(config, learning_rate=found[0], head_learning_rate=found[1])
    again = kerasft.fit(resnet_digits, named, runs_dir=tmp_path, progress=False)
    assert [row["loss"] for row in again.history] == [row["loss"] for row in run.history]


def test_auto_is_refused_where_it_cannot_be_found(config):
    auto = dataclasses.replace(config, learning_rate="auto")
    with pytest.raises(SettingError, match="is auto, which only `kerasft fit`"):
        plan_phases(auto, None)
    with pytest.raises(SettingError, match="a number or auto"):
        dataclasses.replace(config, learning_rate="automatic")


def test_without_a_head_phase_the_ramp_begins_as_the_fit_does(config):
    config = dataclasses.replace(config, head_epochs="auto")
    data = kerasft.load_data(config)
    models = CompiledModels(resnet_digits.build_model(config, data))
    (main,) = find_rates(models, config, data, steps=20)
    # Of a linear probe: a random output layer does not tell the three classes apart.
    assert main.phase == "main" and main.losses[0] < 0.5 * np.log(3)
