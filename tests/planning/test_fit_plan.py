"""Predictions of fits, from steps of tiny models."""

import keras
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.planning import fit_plan

SMALL = {"batch_size": 8, "augmentation": "none", "progress": False}


@pytest.fixture(scope="module")
def planned(preset, photos):
    """A plan, and the rows of the batches that it timed with the steps of each call."""
    evaluate, timed = keras.Model.evaluate, set()

    def spied(model, batches, **options):
        timed.add((len(next(iter(batches))[1]), model.steps_per_execution))
        return evaluate(model, batches, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "evaluate", spied)
        found = kerasft.plan_fit(
            "resnet_digits", dataset=photos, preset=preset("resnet"), image_size=16, devices=2,
            hosts=2, trainable_blocks=1, head_epochs=0, epochs=3, device_bandwidth=8,
            bandwidth=0.001, **SMALL,
        )  # fmt: skip
    return found, timed


@pytest.fixture
def plan(planned):
    return planned[0]


def test_a_batch_is_shared_by_all_devices(plan):
    (main,) = plan.phases
    assert (main.phase, main.epochs) == ("main", 3)
    assert [(s.hosts, s.devices, s.rows) for s in main.scales] == [(1, 1, 8), (1, 2, 4), (2, 4, 2)]
    assert main.steps > 0
    assert all(scale.compute_seconds > 0 for scale in main.scales)


def test_an_epoch_has_the_measured_steps_and_the_computed_communication(plan):
    (main,) = plan.phases
    for scale in main.scales:
        step = scale.compute_seconds + scale.communication_seconds
        assert scale.epoch_seconds > main.steps * step
        assert scale.speedup == main.scales[0].epoch_seconds / scale.epoch_seconds


def test_the_slowest_link_bounds_the_ring(plan):
    (main,) = plan.phases
    alone, host, hosts = main.scales
    size = main.gradient_bytes
    assert (alone.communication_seconds, alone.sent_bytes) == (0, 0)
    assert host.communication_seconds == pytest.approx(size / 8e9 + 2 * 1e-5)
    assert hosts.communication_seconds == pytest.approx(1.5 * size / 1e6 + 6 * 50e-6)
    assert main.worthwhile < 4  # 1 MB/s: the communication is slower than the steps


def test_the_time_of_the_fit_is_that_of_its_epochs_on_the_worthwhile_devices(plan):
    (main,) = plan.phases
    features = plan.seconds_on_one - main.epochs * main.scales[0].epoch_seconds
    (chosen,) = (scale for scale in main.scales if scale.devices == main.worthwhile)
    expected = features + main.epochs * chosen.epoch_seconds
    assert plan.seconds_on_worthwhile == pytest.approx(expected)


def test_memory_is_that_of_a_whole_model_on_each_device(plan):
    (main,) = plan.phases
    assert plan.device_memory["gradients"] == main.gradient_bytes
    assert plan.device_memory["optimizer"] >= 2 * main.gradient_bytes
    assert plan.device_memory["parameters"] > main.gradient_bytes


def test_steps_of_several_tensorflow_devices_are_timed_one_by_one(planned):
    _, timed = planned
    (whole, at_once), *shares = sorted(timed, reverse=True)
    assert whole == 5  # of the validation split
    assert at_once > 1
    assert shares == [(4, 1), (2, 1)]


@pytest.mark.slow
def test_phases_have_gradients_of_what_they_train(preset, photos):
    plan = kerasft.plan_fit(
        "resnet_digits", dataset=photos, preset=preset("resnet"), image_size=16, head_epochs=1,
        trainable_blocks=1, epochs=2, **SMALL,
    )  # fmt: skip
    head, main = plan.phases
    assert [(phase.phase, phase.epochs) for phase in plan.phases] == [("head", 1), ("main", 2)]
    assert head.gradient_bytes < main.gradient_bytes
    assert [scale.devices for scale in main.scales] == [1]
    assert (plan.device_link, plan.host_link, main.worthwhile) == (None, None, 1)
    assert plan.seconds == plan.seconds_on_one == plan.seconds_on_worthwhile > 0


def test_more_devices_than_examples_of_a_batch_are_refused():
    with pytest.raises(SettingError, match="8 examples is too small for 16 devices"):
        kerasft.plan_fit("resnet_digits", devices=4, hosts=4, **SMALL)


@pytest.mark.parametrize("options", [{"devices": 2}, {"hosts": 2, "device_bandwidth": 1}])
def test_several_devices_of_a_backend_that_trains_on_one_are_refused(monkeypatch, options):
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(SettingError, match=r"The backend torch trains on one device\. Use KERAS_"):
        kerasft.plan_fit("resnet_digits", **options, **SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": 0}, "`devices` must be at least 1. Received: devices=0"),
        ({"hosts": -1}, "`hosts` must be at least 1. Received: hosts=-1"),
        ({"bandwidth": 0}, "`bandwidth` must be above 0. Received: bandwidth=0"),
        ({"device_bandwidth": float("nan")}, "Received: device_bandwidth=nan"),
    ],
)
def test_numbers_out_of_range_are_refused(options, words):
    with pytest.raises(SettingError, match=words):
        kerasft.plan_fit("resnet_digits", **options, **SMALL)


@pytest.mark.parametrize(
    ("backend", "gpus", "processes"),
    [("tensorflow", True, 1), ("jax", True, 3), ("jax", False, 12)],
)
def test_processes_of_jax_share_frozen_features(monkeypatch, backend, gpus, processes):
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    monkeypatch.setattr(fit_plan, "on_accelerator", lambda: gpus)
    assert fit_plan.feature_processes(devices=4, hosts=3) == processes


@pytest.mark.slow
def test_texts_are_timed_with_the_first_rows_of_every_batch(preset, reviews):
    plan = kerasft.plan_fit(
        "minilm_tickets", dataset=reviews, preset=preset("bert"), batch_size=8, epochs=1, devices=4,
        trainable_blocks=1, progress=False,
    )  # fmt: skip
    assert [scale.rows for scale in plan.phases[-1].scales] == [8, 4, 2]


@pytest.mark.slow
def test_rendered_data_are_planned_too():
    plan = kerasft.plan_fit("resnet_glyphs", image_size=16, epochs=1, devices=2, **SMALL)
    assert [scale.rows for scale in plan.phases[-1].scales] == [8, 4]
