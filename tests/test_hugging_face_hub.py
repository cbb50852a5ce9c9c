"""Presets of the Hugging Face hub: a revision, its content, and no network the second time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kerasft
from kerasft.presets.resolve import folder_fingerprint
from tests.hugging_face_hub import REPOSITORY, commit_of, serving_hub

GLYPHS = Path(kerasft.__file__).parent / "assets" / "resnet_glyphs"
RESOLVE = """
import sys
from kerasft.display import showing
from kerasft.errors import KerasftError
from kerasft.presets.resolve import resolve
with showing(True):
    try:
        found = resolve(sys.argv[1])
        print(found.kind, found.location, found.fingerprint)
    except KerasftError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The address of a hub with two revisions of a preset, and the requests that it got."""
    folders = {name: tmp_path_factory.mktemp("hub") / name for name in ("main", "v2")}
    for folder in folders.values():
        shutil.copytree(GLYPHS, folder)
    (folders["main"] / "task.weights.h5").write_bytes(b"not needed")
    (folders["v2"] / "README.md").write_text("---\nlicense: mit\n---\n")
    config = folders["v2"] / "config.json"
    config.write_text(config.read_text() + "\n")
    with serving_hub(folders) as (address, requests):
        yield address, requests, folders


@pytest.fixture
def resolved(hub, tmp_path):
    """A function that resolves a preset in a new process; returns its words and its stderr."""

    def call(preset, **environment):
        done = subprocess.run(
            [sys.executable, "-c", RESOLVE, preset],
            env={**os.environ, "HF_ENDPOINT": hub[0], "HF_HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout, done.stderr

    return call


def test_a_preset_is_downloaded_once_and_found_offline(hub, resolved, tmp_path):
    _, requests, _folders = hub
    first, said = resolved(f"hf://{REPOSITORY}")
    kind, location, fingerprint = first.split()
    assert kind == "hf"
    assert Path(location).name == commit_of("main")
    assert fingerprint == folder_fingerprint(Path(location))
    assert not (Path(location) / "task.weights.h5").exists()
    assert f"downloading the preset hf://{REPOSITORY} (4.6 MB) from 127.0.0.1" in said
    requests.clear()
    assert resolved(f"hf://{REPOSITORY}", KERASFT_OFFLINE="1")[0] == first
    assert resolved(f"hf://{REPOSITORY}")[0] == first
    assert requests == []


def test_a_revision_is_another_preset(resolved):
    first = resolved(f"hf://{REPOSITORY}")[0].split()
    second = resolved(f"hf://{REPOSITORY}@v2")[0].split()
    assert Path(second[1]).name == commit_of("v2")
    assert first[2] != second[2]
    by_commit = resolved(f"hf://{REPOSITORY}@{commit_of('v2')}", KERASFT_OFFLINE="1")[0].split()
    assert by_commit == second


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("hf://someone/else", ["SettingError", "has no preset hf://someone/else"]),
        (f"hf://{REPOSITORY}@v3", ["SettingError", "the revision"]),
        ("hf://someone/di gits", ["SettingError", "wrong name"]),
        (f"hf://{REPOSITORY}@", ["SettingError", "hf://ORG/NAME@REVISION"]),
        (f"hf://{REPOSITORY}@../v2", ["SettingError", "hf://ORG/NAME@REVISION"]),
        ("hf:///digits", ["SettingError", "hf://ORG/NAME@REVISION"]),
    ],
)
def test_a_wrong_name_is_one_sentence(resolved, preset, words):
    printed, _ = resolved(preset)
    assert all(word in printed for word in words)


def test_offline_without_the_preset_is_one_sentence(resolved):
    printed, _ = resolved(f"hf://{REPOSITORY}", KERASFT_OFFLINE="1")
    assert printed.startswith(f"NetworkError Offline: the preset hf://{REPOSITORY} is not on")
