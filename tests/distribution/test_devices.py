"""Fits on several devices and in several processes equal those on one device."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import keras
import pytest

import kerasft
from kerasft.distribution.devices import (
    Devices,
    check_batch,
    check_virtual,
    open_devices,
    trains_statistics,
)
from kerasft.distribution.jax_processes import ProcessGroup
from kerasft.distribution.ranks import Ranks
from tests.distribution.fits import COMMON, Way, difference, fit, start, the_run


@pytest.fixture
def settings(preset, photos):
    """Settings of a fit on photos whose last batch is incomplete."""
    return {
        **COMMON, "preset": preset("resnet"), "dataset": photos, "image_size": 16,
        "augmentation": "none", "trainable_blocks": -1, "batch_size": 7, "gradient_clip": 0.5,
        "class_weight": "balanced",
    }  # fmt: skip


def test_one_device_is_the_default():
    found = open_devices()
    assert (found.number, found.describe(), found.lines(32), found.callbacks()) == (1, {}, [], [])
    assert open_devices(1).number == 1


@pytest.mark.parametrize("devices", [0, -1, 1.5, "two"])
def test_other_numbers_of_devices_are_refused(devices):
    with pytest.raises(kerasft.SettingError, match="`devices` must be `all` or a number"):
        open_devices(devices)


def test_a_started_backend_refuses_more_devices():
    keras.ops.zeros(1)
    with pytest.raises(kerasft.SettingError, match="already started with another"):
        open_devices(3)


def test_more_devices_than_a_processor_or_a_batch_can_feed_are_refused():
    check_virtual(8)
    with pytest.raises(kerasft.SettingError, match="99, but this machine has no GPU"):
        check_virtual(99)
    check_batch(8, 8)
    with pytest.raises(kerasft.SettingError, match="7 examples is too small for 8 devices"):
        check_batch(7, 8)


def test_statistics_of_batches_are_found():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    assert trains_statistics(model)
    model.layers[-1].trainable = False
    assert not trains_statistics(model)


@pytest.mark.parametrize(("end", "said"), [("os.abort()", True), ("sys.exit(3)", False)])
def test_an_aborted_process_leaves_a_sentence(end, said):
    script = "import os, sys\nfrom kerasft.distribution.last_words import say_if_aborted\n"
    script += f"say_if_aborted('It was aborted.')\n{end}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode in (3, -signal.SIGABRT)
    assert ("It was aborted." in done.stderr) == said


def test_a_small_share_is_noted():
    devices = Devices()
    devices.number = 8
    assert "raise --batch-size" in devices.lines(32)[1]
    assert len(devices.lines(64)) == 1
    assert "few rows on each device (1)" in devices.lines(8)[1]


def test_only_the_first_process_writes_to_the_folder_of_runs(tmp_path):
    assert Devices().own_folder(tmp_path) == tmp_path
    other = Devices(Ranks(1, 2, ("127.0.0.1:1",)))
    assert other.own_folder(tmp_path) != tmp_path
    assert other.own_folder(tmp_path) == other.own_folder(tmp_path)
    run = tmp_path / "recipe" / "one"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text("{}")
    copy = other.own_copy(run, tmp_path)
    assert copy != run and (copy / "manifest.json").exists()


class Store:
    """A key-value store as that of JAX, in this process."""

    def __init__(self):
        self.values = {}

    def key_value_set(self, key, value, allow_overwrite=False):
        self.values[key] = value

    def key_value_dir_get(self, place):
        return [(k, v) for k, v in list(self.values.items()) if k.startswith(f"{place}/")]


def groups(store, number, **options):
    ranks = [Ranks(rank, number, ("127.0.0.1:1",)) for rank in range(number)]
    return [ProcessGroup(store, one, heartbeat=0.05, timeout=0.5, **options) for one in ranks]


def test_the_first_process_decides():
    first, second = groups(Store(), 2)
    assert first.agree("format", lambda: "float32") == "float32"
    assert second.agree("format", lambda: "bfloat16") == "float32"


def test_a_process_that_counts_is_waited_for():
    first, second = groups(Store(), 2)
    late = threading.Timer(1.5, second.wait, ["epoch"])
    late.start()
    first.wait("epoch")
    late.join()


def test_a_process_that_stops_counting_is_named():
    store = Store()
    group = ProcessGroup(store, Ranks(0, 3, ("a:1",)), heartbeat=0.05, timeout=0.5)
    store.key_value_set("kerasft alive/2", "7")
    with pytest.raises(kerasft.errors.LostProcessError, match=r"process [12] does not respond"):
        group.wait("epoch")


@pytest.mark.parametrize(
    "theirs, error, words",
    [
        ("training", kerasft.SettingError, "Process 0 is at `epoch 0`, process 1 at `training`"),
        ("end", kerasft.errors.LostProcessError, "process 1 has ended"),
    ],
)
def test_processes_that_make_other_calls_do_not_wait_for_each_other(theirs, error, words):
    store = Store()
    first, _ = groups(store, 2)
    store.key_value_set("kerasft call 0/1", theirs)
    with pytest.raises(error, match=words):
        first.wait("epoch 0")


def test_the_others_end_after_a_process_that_failed_and_stays_alive():
    first, second = groups(Store(), 2)
    second.fail()
    second.fail()  # contexts of a fit are nested
    with pytest.raises(kerasft.errors.LostProcessError, match="process 1 has ended"):
        first.wait("epoch 0")


class Interrupted(Store):
    """A store that fails twice."""

    failures = 2

    def key_value_set(self, key, value, allow_overwrite=False):
        if self.failures:
            self.failures -= 1
            raise jax.errors.JaxRuntimeError("UNAVAILABLE")
        super().key_value_set(key, value, allow_overwrite)


def test_a_process_counts_on_after_a_failed_call():
    store = Interrupted()
    ProcessGroup(store, Ranks(0, 1, ("a:1",)), heartbeat=0.01, timeout=0.5)
    end = time.monotonic() + 5
    while not store.values and time.monotonic() < end:
        time.sleep(0.01)
    assert int(store.values["kerasft alive/0"]) >= 2


class TwoOfTwo(Devices):
    """The second of two processes, whose first one has sent something."""

    def __init__(self, sent):
        super().__init__(Ranks(1, 2, ("a:1",)))
        self.sent = sent

    def agree(self, name, choose):
        return self.sent


def test_processes_with_other_settings_are_refused():
    sent = []
    first = TwoOfTwo("")
    first.agree = lambda name, choose: sent.append(choose()) or sent[0]
    first.check_same({"seed": 0, "data": "abc"})
    TwoOfTwo(sent[0]).check_same({"seed": 0, "data": "abc"})
    with pytest.raises(kerasft.SettingError, match="Process 1 and the first one differ in: seed"):
        TwoOfTwo(sent[0]).check_same({"seed": 1, "data": "abc"})


TWICE = """
import json, sys
import kerasft
given = json.loads(sys.argv[1])
given |= {"progress": False}
runs = [kerasft.fit("resnet_digits", devices=n, name=str(n), **given) for n in (2, 1)]
print(json.dumps([[row["loss"] for row in run.history] for run in runs]))
"""


def test_two_devices_of_one_process_train_as_one(settings, tmp_path):
    given = json.dumps({**settings, "epochs": 1, "head_epochs": 0, "runs_dir": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-c", TWICE, given], capture_output=True, text=True, check=False,
        env={**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    two, one = json.loads(done.stdout.splitlines()[-1])
    assert two == pytest.approx(one, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [Way("jax", 3), Way("jax", processes=2), Way("tensorflow", 2), Way("tensorflow", processes=3)],
    ids=str,
)
def test_fits_equal_those_of_one_device(way, settings, tmp_path):
    settings = {**settings, "average_weights": "ema"}  # `loss` is that of the weights themselves
    alone = fit(Way(way.backend), tmp_path / "alone", "resnet_digits", settings)
    shared = fit(way, tmp_path / "shared", "resnet_digits", settings)
    in_history, in_weights = difference(alone, shared)
    assert in_history < 1e-5
    assert in_weights < 1e-5
    assert shared.manifest["devices"]["number"] == way.devices * way.processes
    assert "devices" not in alone.manifest
    # Python serves what several devices trained.
    assert kerasft.predict(shared, [settings["dataset"] + "/red/1.png"])


@pytest.mark.slow
def test_devices_of_a_processor_do_not_take_its_last_thread(tmp_path):
    """Augmented images of the usual size, which JAX computes in several threads."""
    settings = {"max_examples": 300, "epochs": 1, "head_epochs": 0}
    run = fit(Way("jax", 2), tmp_path, "resnet_digits", settings)
    assert run.manifest["devices"]["number"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("way", [Way("jax", processes=2), Way("tensorflow", 2)], ids=str)
def test_a_fit_of_cached_features_is_shared(way, settings, tmp_path):
    settings = {**settings, "trainable_blocks": 1, "cache": True}
    alone, shared = (
        fit(each, tmp_path / str(each), "resnet_digits", settings)
        for each in (Way(way.backend), way)
    )
    assert "frozen features cached" in (shared.path / "run.log").read_text()
    assert max(difference(alone, shared)) < 1e-5


@pytest.mark.slow
def test_a_killed_process_ends_all_in_a_sentence_and_they_resume(settings, tmp_path):
    way, settings = Way("jax", processes=2), {**settings, "epochs": 60, "learning_rate": 1e-5}
    whole = fit(way, tmp_path / "whole", "resnet_digits", settings)
    started = start(way, tmp_path / "killed", "resnet_digits", settings)
    end = time.monotonic() + 300
    while not list((tmp_path / "killed").glob("runs/*/one/state.safetensors")):
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1)
    started[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert [process.wait(300) for process in started] == [1, -signal.SIGKILL]
    assert time.monotonic() - killed < 60
    command = "in every process: KERAS_BACKEND=jax kerasft fit resnet_digits --resume --name one"
    assert command in (tmp_path / "killed/log0").read_text()
    interrupted = the_run(tmp_path / "killed")
    assert 0 < len(interrupted.history) < 61
    assert interrupted.state == "interrupted"
    resumed = fit(way, tmp_path / "killed", "resnet_digits", settings, resume=True)
    assert difference(whole, resumed) == (0.0, 0.0)


@pytest.mark.slow
def test_the_command_line_reports_once(settings, photos, tmp_path):
    names = ("preset", "image_size", "augmentation", "batch_size", "epochs", "head_epochs")
    words = [f"--{name.replace('_', '-')}={settings[name]}" for name in names]
    line = [sys.executable, "-m", "kerasft", "fit", "resnet_digits", *words, "--dataset", photos,
            "--name", "one", "--devices", "2", "--json"]  # fmt: skip
    done = subprocess.run(
        line, cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    assert json.loads(done.stdout)["run"] == "one"
    assert "2 devices, keras.distribution.DataParallel (JAX)" in done.stderr
    refused = subprocess.run([*line, "--seeds", "2"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
