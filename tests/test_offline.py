"""`--offline` and KERASFT_OFFLINE=1: no connection leaves this machine."""

import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from kerasft.cli import main
from kerasft.errors import NetworkError
from kerasft.offline import VARIABLE, go_offline
from kerasft.presets.resolve import resolve

CONNECT = """
import kerasft, socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
except Exception as error:
    print(type(error).__name__, error)
else:
    print("connected")
"""


def connect_offline(host, port):
    """Return what a connection prints in a process that starts offline."""
    return subprocess.run(
        [sys.executable, "-c", CONNECT, host, str(port)],
        env={**os.environ, VARIABLE: "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid"])
def test_a_connection_to_another_machine_is_refused(host):
    printed = connect_offline(host, 9)
    assert printed.startswith(f"OfflineError Offline: a connection to {host} was refused.")


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert connect_offline("127.0.0.1", server.getsockname()[1]) == "connected\n"


def test_a_download_is_refused_before_it_is_tried(monkeypatch, tmp_path):
    def fail(*_args, **_options):
        raise AssertionError("a connection was tried")

    monkeypatch.setenv(VARIABLE, "0")  # both are set by go_offline, and restored after the test
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "create_connection", fail)
    go_offline()
    with pytest.raises(NetworkError) as caught:
        resolve("resnet_50_imagenet")
    folder = tmp_path / "models/keras/resnetv1/keras/resnet_50_imagenet"  # with its `.complete`
    for word in ("Offline", "resnet_50_imagenet", "94 MB", "www.kaggle.com", "--offline",
                 f"Or copy {folder} from"):  # fmt: skip
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "line", [["--offline", "fit", "resnet_digits"], ["fit", "resnet_digits", "--offline"]]
)
def test_the_option_is_taken_before_and_after_the_command(line, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    data = ["--dataset", "tfds:no_such_set", "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(main, [*line, *data])
    assert result.exit_code == 1
    assert (
        "Offline: the dataset tfds:no_such_set (size unknown) is not on this machine"
        in result.stderr
    )
