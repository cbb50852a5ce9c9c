"""Learning rates and optimizers."""

import itertools

import keras
import numpy as np
import pytest

from kerasft.common_settings import OPTIMIZERS, SCHEDULES
from kerasft.config import ImageConfig
from kerasft.training.optimizers.schedules import make_optimizer, make_schedule, warmup_steps


def rates(kind, steps=100, warmup=10):
    schedule = make_schedule(kind, 1.0, steps, warmup)
    return [float(schedule(step)) for step in range(steps)]


@pytest.mark.parametrize("kind", [k for k in SCHEDULES if k != "plateau"])
def test_schedule_rises_to_its_peak_and_never_exceeds_it(kind):
    values = rates(kind)
    assert values[0] == pytest.approx(0.1)
    assert values[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert max(values) == pytest.approx(1.0)
    assert all(a >= b - 1e-6 for a, b in itertools.pairwise(values[9:]))


@pytest.mark.parametrize(
    ("kind", "end"),
    [("constant", 1.0), ("cosine", 0.0), ("linear", 0.0), ("exponential", 0.01), ("step", 0.01)],
)
def test_schedule_ends_where_it_says(kind, end):
    assert rates(kind)[-1] == pytest.approx(end, abs=0.02)


def test_schedule_without_warm_up_begins_at_its_peak():
    assert rates("cosine", warmup=0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("steps", "fraction", "least", "expected"),
    [(1000, 0.1, 5, 100), (20, 0.1, 5, 5), (9, 0.1, 5, 3), (2, 0.1, 5, 0), (20, 0.1, 0, 2),
     (20, 0.0, 5, 0), (9, 0.5, 5, 4)],
)  # fmt: skip
def test_warm_up_of_few_steps_is_more_than_one(steps, fraction, least, expected):
    config = ImageConfig(warmup_fraction=fraction, min_warmup_steps=least)
    assert warmup_steps(config, steps) == expected


@pytest.mark.parametrize("kind", [k for k in SCHEDULES if k != "plateau"])
def test_schedules_survive_serialization(kind):
    schedule = make_schedule(kind, 0.3, 20, 5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert [float(again(s)) for s in range(20)] == [float(schedule(s)) for s in range(20)]


def test_cosine_and_linear_are_those_of_keras():
    schedules = keras.optimizers.schedules
    cosine = schedules.CosineDecay(0.3, 20)
    linear = schedules.PolynomialDecay(0.3, 20, end_learning_rate=0.0)
    for theirs, kind in ((cosine, "cosine"), (linear, "linear")):
        ours = make_schedule(kind, 0.3, 20, 0)
        assert [float(ours(s)) for s in range(21)] == pytest.approx(
            [float(theirs(s)) for s in range(21)], abs=1e-7
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_leaves_out_bias_and_norm(name):
    from keras_hub.src.models.t5.t5_layer_norm import T5LayerNorm  # its scale is named weight

    optimizer = make_optimizer(ImageConfig(optimizer=name, weight_decay=0.5), 0.1)
    layers = [keras.layers.Dense(2, bias_initializer="ones"), keras.layers.LayerNormalization(),
              T5LayerNorm()]  # fmt: skip
    for layer in layers:
        layer.build((None, 2))
    variables = [v for layer in layers for v in layer.trainable_variables]
    before = [v.numpy() for v in variables]
    optimizer.apply([np.zeros(v.shape, "float32") for v in variables], variables)
    for variable, value in zip(variables, before, strict=True):
        expected = value * (1 - 0.05) if variable.name == "kernel" else value
        assert np.allclose(variable.numpy(), expected, atol=1e-6), variable.path


def test_gradient_clip_bounds_the_step_of_sgd():
    config = ImageConfig(optimizer="sgd", momentum=0.0, weight_decay=0.0, gradient_clip=1.0)
    variable = keras.Variable(np.zeros(4, "float32"))
    make_optimizer(config, 1.0).apply([np.full(4, 100.0, "float32")], [variable])
    assert np.linalg.norm(variable.numpy()) == pytest.approx(1.0, abs=1e-5)
