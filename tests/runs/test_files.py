"""Writes are whole or not at all."""

import contextlib
import errno
import json
import os
import stat
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

import kerasft
from kerasft.errors import DamagedFileError, ResourceError, SettingError
from kerasft.runs import (
    Run,
    atomic_path,
    check_writable,
    create_run,
    empty_folder,
    file_lock,
    open_to_append,
    read_json,
    remove_temporary_files,
    write_json,
    write_manifest,
)
from kerasft.runs.files import is_locked
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


def test_a_file_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"a\.json cannot be written: Not a directory"):
        write_json(tmp_path / "file" / "a.json", {})


def test_a_full_disk_is_a_resource_error(tmp_path):
    def fill():
        with atomic_path(tmp_path / "a.json"):
            raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match=r"a\.json cannot be written: No space left"):
        fill()


def test_a_lock_needs_no_disk_space(tmp_path, file_size_limit):
    path = tmp_path / "fit.lock"
    file_size_limit(1)
    with file_lock(path, "works."):
        file_size_limit(None)
        with pytest.raises(SettingError, match="Another process"), file_lock(path, "works."):
            pass


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


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_umask_decides_who_may_read_a_file(tmp_path, umask):
    write_json(tmp_path / "a.json", {})
    write_tensors(tmp_path / "b.safetensors", {"a": np.ones(1)})
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~umask}


def test_what_a_killed_write_leaves_is_removed_and_nothing_else(tmp_path):
    others = {".profile", ".a.json", "a.0123abcd.json", ".note.personal.txt"}
    for name in others:
        (tmp_path / name).touch()
    with atomic_path(tmp_path / "a.json") as temporary:
        left = tmp_path / temporary.name.replace(".a.", ".b.")  # of another process
        left.touch()
    remove_temporary_files(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others | {"a.json"}


def test_a_log_and_a_lock_are_not_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run.log").symlink_to("precious")
    with pytest.raises(DamagedFileError, match=r"run\.log is a symbolic link, but a file"):
        open_to_append(tmp_path / "run.log")
    with pytest.raises(DamagedFileError), file_lock(tmp_path / "run.log", "works."):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_is_no_file_is_not_locked_and_cannot_be(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("link")
    for path in tmp_path.iterdir():
        assert not is_locked(path)
        with pytest.raises(DamagedFileError, match=f"{path.name} is "), file_lock(path, "works."):
            pass


def test_a_lock_file_that_is_deleted_while_a_process_waits_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "fit.lock"
    first, second = contextlib.ExitStack(), contextlib.ExitStack()
    first.enter_context(file_lock(path, "works."))
    sleep, this = time.sleep, threading.current_thread()

    def end_the_first(seconds):
        if threading.current_thread() is this:
            path.unlink()
            first.close()
        else:  # threads of earlier tests sleep too
            sleep(seconds)

    with monkeypatch.context() as patch, first:
        patch.setattr("time.sleep", end_the_first)
        second.enter_context(file_lock(path, "works."))
    with second:
        assert is_locked(path)
        with pytest.raises(SettingError, match="Another process"), file_lock(path, "works."):
            pass


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(SettingError, match=r"fit\.lock cannot be locked: No locks available"),
        file_lock(tmp_path / "fit.lock", "works."),
    ):
        pass
    assert not is_locked(tmp_path / "fit.lock")


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\0b", "a\nb"])
def test_a_name_that_is_no_folder_name_is_refused(name, tmp_path):
    with pytest.raises(SettingError, match="plain folder name"):
        create_run(tmp_path, "r", name)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    create_run(tmp_path, "r", "n" * 200)
    with pytest.raises(SettingError, match=r"at most 200 bytes\. Received: 300 bytes"):
        create_run(tmp_path, "r", "n" * 300)
    with pytest.raises(SettingError, match="Received: 202 bytes"):
        create_run(tmp_path, "r", "\u00e4" * 101)


def test_a_taken_name_is_refused(tmp_path):
    write_manifest(create_run(tmp_path, "r", "first"), state="done")
    with pytest.raises(SettingError, match=r"already exists\. Give another --name, or delete it"):
        create_run(tmp_path, "r", "first")
    cut = create_run(tmp_path, "r", "cut")
    (cut.path / "config.json").write_text('{"dataset": "mail.csv"}')
    write_manifest(cut, state="running", recipe={"name": "r"})
    resume = f"Resume it: kerasft fit r --resume --name cut --runs-dir {tmp_path}"
    with pytest.raises(SettingError, match=resume):
        create_run(tmp_path, "r", "cut")


def test_the_folder_of_a_fit_that_was_killed_before_its_manifest_is_used_again(tmp_path):
    folder = create_run(tmp_path, "r", "first").path
    left = {"config.json", "dropped.json", ".labels.json.0123abcd.json"}
    for name in {"fit.lock", *left}:
        (folder / name).touch()
    assert create_run(tmp_path, "r", "first").path == folder
    assert empty_folder(Run(folder))
    assert [path.name for path in folder.iterdir()] == ["fit.lock"]
    assert not empty_folder(Run(folder))
    with (
        file_lock(folder / "fit.lock", "is training."),
        pytest.raises(SettingError, match="already exists"),
    ):
        create_run(tmp_path, "r", "first")
    (folder / "notes.txt").touch()  # of somebody
    with pytest.raises(SettingError, match="already exists"):
        create_run(tmp_path, "r", "first")
    with pytest.raises(SettingError, match="already exists"):
        empty_folder(Run(folder))


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("file/runs", "file is not a folder"),
        ("file", "file is not a folder"),
        ("n" * 300, "File name too long"),
        ("/proc", "No such file or directory"),
        ("/dev/null/x", "/dev/null is not a folder"),
        ("a\0b", "null"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, folder, reason):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=f"cannot be written to: .*{reason}"):
        check_writable(tmp_path / folder)


def test_a_check_of_a_folder_leaves_nothing(tmp_path):
    check_writable(tmp_path / "runs" / "r")
    assert not list(tmp_path.iterdir())


def test_a_missing_run_is_refused_with_the_nearest_name(tmp_path):
    write_manifest(create_run(tmp_path, "r", "first"), created="1")
    with pytest.raises(SettingError, match="Did you mean 'first'"):
        kerasft.load_run(tmp_path / "r" / "frist")
    with pytest.raises(SettingError, match="is not a run"):
        kerasft.load_run(tmp_path / "r")
    with pytest.raises(SettingError, match="name of a run is empty"):
        kerasft.load_run("", tmp_path)


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
