"""doctor: facts, and each known conflict with the command that mends it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from kerasft.cli import device_facts, installation, startup


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without conflicts whose packages and variables a test may change."""
    monkeypatch.setattr(startup, "start_keras", lambda: None)
    monkeypatch.setattr(device_facts, "device_facts", lambda: {"devices": ["CPU:0"]})
    versions = dict.fromkeys(
        ("keras", "keras-hub", "tensorflow", "tensorflow-text", "tensorboard", "safetensors"),
        "3.15.1",
    )
    versions["importlib_resources"] = "6.5"
    monkeypatch.setattr(installation, "version", versions.get)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS"):
        monkeypatch.delenv(name, raising=False)
    return versions


def test_a_sound_machine_has_facts_and_no_conflicts(machine, kerasft_line):
    result = kerasft_line("doctor")
    assert result.exit_code == 0, result.output
    for text in ("python", "keras", "backend", "tensorflow", "devices", "processors", "memory"):
        assert text in result.stdout
    assert "No known conflicts." in result.stdout
    found = json.loads(kerasft_line("doctor", "--json").stdout)
    assert (found["devices"], found["conflicts"]) == (["CPU:0"], [])


@pytest.mark.parametrize(
    ("package", "version", "mend"),
    [
        ("tensorflow-cpu", "2.21.0", "pip uninstall -y tensorflow tensorflow-cpu"),
        ("keras", "3.9.0", "pip install --upgrade 'keras>=3.15'"),
        ("tensorflow-text", None, "pip install tensorflow-text"),
        ("tensorboard", None, "pip install tensorboard"),
        ("tensorflow", None, "pip install 'tensorflow>="),
    ],
)
def test_conflicts_of_packages(machine, kerasft_line, package, version, mend):
    machine[package] = version
    result = kerasft_line("doctor")
    assert result.exit_code == 1
    assert mend in result.stdout.partition("  fix: ")[2]
    assert len(json.loads(kerasft_line("doctor", "--json").stdout)["conflicts"]) == 1


@pytest.mark.parametrize(
    ("variable", "value"), [("KERAS_BACKEND", "torch"), ("TF_USE_LEGACY_KERAS", "1")]
)
def test_conflicts_of_the_environment(machine, kerasft_line, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    result = kerasft_line("doctor", "-q")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == f"  fix: unset {variable}"


def test_a_backend_named_in_the_settings_of_keras(machine, kerasft_line, tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text('{"backend": "torch"}')
    result = kerasft_line("doctor")
    assert result.exit_code == 1
    assert "sets the backend 'torch'" in result.stdout


def test_python_outside_of_its_range(machine, kerasft_line, monkeypatch):
    monkeypatch.setattr(installation.sys, "version_info", (3, 14, 0))
    assert kerasft_line("doctor").exit_code == 1


def test_a_tensorflow_that_does_not_start_is_a_conflict(machine, kerasft_line, monkeypatch):
    def fail():
        raise ImportError("libcudart.so.12 is missing\nmore")

    monkeypatch.setattr(device_facts, "device_facts", fail)
    result = kerasft_line("doctor")
    assert result.exit_code == 1
    assert "cannot start: ImportError: libcudart.so.12 is missing.\n" in result.stdout


def test_sizes_of_caches_stop_at_a_limit(machine, tmp_path):
    (tmp_path / "keras").mkdir()
    for count in range(5):
        (tmp_path / "keras" / str(count)).write_bytes(b"x" * 1000)
    assert installation.caches()["cache of Keras"].endswith("keras (4.9 KiB)")
    limited = installation.caches(most_files=2)
    assert "(more than 2.9 KiB)" in limited["cache of Keras"]


def test_a_backend_without_its_package(machine, kerasft_line, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "jax, which is not installed" in kerasft_line("doctor").stdout
    machine["jax"] = "0.10.2"
    assert kerasft_line("doctor").exit_code == 0


PROCESSES = {
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}


def test_processes_of_a_training_are_shown(monkeypatch):
    assert device_facts.device_facts()["processes"] == "1"
    for name, value in PROCESSES.items():
        monkeypatch.setenv(name, value)
    assert device_facts.device_facts()["processes"] == "unclear: see the conflict"
    (conflict,) = installation.conflicts()
    assert "JOB_ADDRESSES must be HOST:PORT" in conflict.text
    assert conflict.fix.startswith("unset KERAS_DISTRIBUTION_NUM_PROCESSES")
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "")
    assert installation.conflicts()[0].fix == conflict.fix
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    with socket.create_server(("127.0.0.1", 0)) as first:
        address = f"127.0.0.1:{first.getsockname()[1]}"
        monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", address)
        found = device_facts.device_facts()["processes"]
        assert found.startswith("index 1 of 2 (KERAS_DISTRIBUTION_NUM_PROCESSES), the first at")
        assert found.endswith(f"{address} (answers)")
    assert "no answer" in device_facts.device_facts()["processes"]
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "0")
    assert device_facts.device_facts()["processes"].endswith("(this one)")


def test_an_nvidia_smi_that_hangs_leaves_the_interconnect_unknown(monkeypatch):
    def hang(line, timeout, **_):
        raise subprocess.TimeoutExpired(line, timeout)

    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("subprocess.run", hang)
    assert device_facts.interconnect(2) == "unknown: nvidia-smi did not answer within 20 s"


def test_another_backend_has_no_devices_to_share_batches(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    found = device_facts.device_facts()
    assert found["devices"] == []
    assert found["--devices all"].startswith("not possible with the backend torch")


@pytest.mark.slow
def test_devices_of_jax_are_shown():
    line = [sys.executable, "-m", "kerasft", "doctor", "--json"]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    found = json.loads(done.stdout)
    assert found["devices"] == ["CPU:0 cpu"]
    assert found["--devices all"] == "1 by keras.distribution.DataParallel"
    assert found["interconnect"] == "TCP between processes"
