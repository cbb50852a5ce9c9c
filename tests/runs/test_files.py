"""Writes are whole or not at all."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

import kerasft
from kerasft.errors import DamagedFileError, ResourceError, SettingError
from kerasft.runs import (
    atomic_path,
    create_run,
    read_json,
    write_json,
    write_manifest,
)
from kerasft.runs.weights import write_tensors


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_a_resource_error(tmp_path):
    def fill():
        with atomic_path(tmp_path / "a.json"):
            raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match=r"a\.json cannot be written: No space left"):
        fill()


def test_a_disk_that_is_full_of_weights_is_a_resource_error(tmp_path, file_size_limit):
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {"a": np.ones(10)})
    file_size_limit(4000)
    with pytest.raises(ResourceError, match=r"weights\.safetensors cannot be written: File too"):
        write_tensors(path, {"a": np.zeros(1000)})
    file_size_limit(None)
    assert load_file(path)["a"].tolist() == [1.0] * 10
    assert len(list(tmp_path.iterdir())) == 1


def test_a_number_that_json_has_not_becomes_null(tmp_path):
    write_json(tmp_path / "a.json", {"a": [float("nan"), float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, None, 1.5]}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(DamagedFileError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")


def test_runs_of_one_second_do_not_collide(tmp_path):
    assert len({create_run(tmp_path, "r").path for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(name, tmp_path):
    with pytest.raises(SettingError, match="plain folder name"):
        create_run(tmp_path, "r", name)


def test_a_taken_name_is_refused(tmp_path):
    create_run(tmp_path, "r", "first")
    with pytest.raises(SettingError, match="already exists"):
        create_run(tmp_path, "r", "first")


def test_a_missing_run_is_refused_with_the_nearest_name(tmp_path):
    write_manifest(create_run(tmp_path, "r", "first"), created="1")
    with pytest.raises(SettingError, match="Did you mean 'first'"):
        kerasft.load_run(tmp_path / "r" / "frist")
    with pytest.raises(SettingError, match="is not a run"):
        kerasft.load_run(tmp_path / "r")


def test_runs_are_listed_the_oldest_first(tmp_path):
    for name, created in (("b", "1"), ("a", "2")):
        write_manifest(create_run(tmp_path, "r", name), created=created)
    assert [run.name for run in kerasft.list_runs(tmp_path)] == ["b", "a"]
    assert kerasft.list_runs(tmp_path / "nowhere") == []


def test_a_damaged_run_does_not_hide_the_others(tmp_path):
    write_manifest(create_run(tmp_path, "r", "good"), created="1", state="done")
    damaged = create_run(tmp_path, "r", "bad")
    (damaged.path / "manifest.json").write_text("{")
    assert [(run.name, run.state) for run in kerasft.list_runs(tmp_path)] == [
        ("bad", "damaged"),
        ("good", "done"),
    ]


def test_a_file_name_that_is_no_text_is_written_and_read(tmp_path):
    name = b"Stra\xdfe.jpg".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"origin": name})
    assert json.loads((tmp_path / "a.json").read_text())["origin"] == name
