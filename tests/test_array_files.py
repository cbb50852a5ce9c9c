"""Prepared arrays in files of the cache folder."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kerasft import array_files
from kerasft.array_files import stored_arrays
from kerasft.arrays import allocate, cache_folder, make_folder
from kerasft.display import showing
from kerasft.errors import ResourceError, SettingError

NAME, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64
SIZE = 12_000  # bytes of an array and its manifest, at least


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))


class Maker:
    """Prepares an array of 3,000 numbers and counts how often."""

    def __init__(self, value=7):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        array = allocate((3000,), np.dtype(np.int32), "numbers", "use fewer")
        array[:] = self.value
        return array


def store(make, name=NAME, limit=1e9):
    return stored_arrays(name, SIZE, limit, make)


def stored_files():
    return sorted(path.name for path in (cache_folder() / NAME).iterdir())


def test_arrays_are_prepared_once_and_mapped_afterwards():
    make = Maker()
    for _ in range(3):
        found = store(make)
        assert isinstance(found, np.memmap)
        assert not found.flags.writeable
        assert found.tolist() == [7] * 3000
    assert make.calls == 1


def test_arrays_keep_their_names():
    def make():
        return {name: Maker(value)() for name, value in (("token_ids", 1), ("padding_mask", 2))}

    for _ in range(2):
        found = store(make)
        assert list(found) == ["token_ids", "padding_mask"]
        assert [array[0] for array in found.values()] == [1, 2]


def test_the_manifest_is_on_the_disk_before_it_gets_its_name(monkeypatch):
    synced = []

    def spied(file):
        there = (cache_folder() / NAME / "arrays.json").exists()
        synced.append((Path(f"/proc/self/fd/{file}").readlink(), there))
        fsync(file)

    fsync = os.fsync
    monkeypatch.setattr("os.fsync", spied)
    store(Maker())
    (manifest, before), (folder, after) = synced
    assert (manifest.parent, before) == (folder, False)
    assert manifest.name.startswith(".arrays.json.")
    assert (folder, after) == (cache_folder() / NAME, True)


def flip_a_byte(folder):
    content = bytearray((folder / "0.npy").read_bytes())
    content[5000] ^= 1
    (folder / "0.npy").write_bytes(content)


DAMAGE = {
    "a flipped byte": flip_a_byte,
    "a missing file": lambda folder: (folder / "0.npy").unlink(),
    "a manifest that is no object": lambda folder: (folder / "arrays.json").write_text("[1]"),
    "a manifest that is not JSON": lambda folder: (folder / "arrays.json").write_bytes(b"{\xff"),
    "a manifest without arrays": lambda folder: (folder / "arrays.json").write_text("{}"),
    "a shorter file": lambda folder: os.truncate(folder / "0.npy", 4000),
    "an empty file": lambda folder: os.truncate(folder / "0.npy", 0),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_damaged_files_are_prepared_again_with_a_line(damage, capsys):
    make = Maker()
    store(make)
    DAMAGE[damage](cache_folder() / NAME)
    with showing():
        assert store(make).tolist() == [7] * 3000
    assert make.calls == 2
    assert "are damaged (" in capsys.readouterr().err
    store(make)
    assert make.calls == 2


def test_an_error_leaves_no_arrays():
    def fail():
        Maker()()
        raise ValueError("a bad image")

    with pytest.raises(ValueError, match="a bad image"):
        store(fail)
    assert stored_files() == ["lock"]
    assert store(Maker()).tolist() == [7] * 3000


SCRIPT = """
import os, sys, time
import numpy as np
from kerasft.arrays import allocate
from kerasft.array_files import stored_arrays

def make():
    array = allocate((3000,), np.dtype(np.int32), "numbers", "use fewer")
    array[:1000] = 7
    with open(sys.argv[1], "a") as calls:
        calls.write("x")
    if "kill" in sys.argv:
        os.kill(os.getpid(), 9)
    time.sleep(0.5)
    array[:] = 7
    return array

assert stored_arrays("a" * 64, 12_000, 1e9, make).tolist() == [7] * 3000
"""


def start(calls, *words):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(calls), *words])


def test_what_a_killed_process_left_is_not_used(tmp_path):
    assert start(tmp_path / "calls", "kill").wait() == -signal.SIGKILL
    assert stored_files() == ["0.npy", "lock"]
    make = Maker()
    assert store(make).tolist() == [7] * 3000
    assert make.calls == 1
    assert stored_files() == ["0.npy", "arrays.json", "lock"]


def test_processes_at_once_prepare_once(tmp_path):
    processes = [start(tmp_path / "calls") for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "calls").read_text() == "x"


def test_the_least_recently_used_arrays_are_removed_first():
    first, second = Maker(), Maker()
    store(first, NAME)
    store(second, OTHER)
    os.utime(cache_folder() / NAME / "arrays.json", (0, 0))
    os.utime(cache_folder() / OTHER / "arrays.json", (0, 0))
    mapped = store(first, NAME)  # used again
    store(Maker(), THIRD, limit=3 * SIZE)
    assert sorted(path.name for path in cache_folder().iterdir()) == [NAME, THIRD]
    store(Maker(), OTHER, limit=SIZE)
    assert [path.name for path in cache_folder().iterdir()] == [OTHER]
    assert mapped.tolist() == [7] * 3000  # of removed files


def test_arrays_above_the_limit_are_not_kept_and_remove_none():
    make = Maker()
    store(Maker(), OTHER)
    for _ in range(2):
        assert store(make, limit=SIZE - 1).tolist() == [7] * 3000
        assert not (cache_folder() / NAME).exists()
    assert make.calls == 2
    assert (cache_folder() / OTHER / "arrays.json").exists()


def test_other_files_in_the_folder_stay():
    cache_folder().mkdir()
    (cache_folder() / "thesis").mkdir()
    (cache_folder() / "thesis" / "text").write_text("my thesis")
    store(Maker(), limit=SIZE)
    assert (cache_folder() / "thesis" / "text").read_text() == "my thesis"


def test_an_entry_that_another_process_removes_is_no_error(monkeypatch):
    store(Maker(), OTHER)

    def removed(_):
        shutil.rmtree(cache_folder() / OTHER)
        return Free

    monkeypatch.setattr("shutil.disk_usage", removed)
    assert store(Maker()).tolist() == [7] * 3000


def test_an_entry_that_a_third_process_fills_is_not_removed(monkeypatch):
    store(Maker(), OTHER)
    flock, folder = fcntl.flock, cache_folder() / OTHER

    def late(file, how):
        if Path(file.name).parent == folder:
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / "lock").touch()
            (folder / "0.npy").touch()
        flock(file, how)

    monkeypatch.setattr("fcntl.flock", late)
    store(Maker(), limit=SIZE)
    assert sorted(path.name for path in folder.iterdir()) == ["0.npy", "lock"]


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(monkeypatch):
    made = []

    def removed_once(folder):
        make_folder(folder)
        if not made:
            folder.rmdir()
        made.append(folder)

    monkeypatch.setattr(array_files, "make_folder", removed_once)
    assert store(Maker()).tolist() == [7] * 3000
    assert len(made) == 2


def test_a_folder_that_another_process_makes_and_removes_at_once_is_made(monkeypatch):
    make, removed, folder = os.mkdir, [], cache_folder() / NAME

    def made_and_removed_by_another(path, mode=0o777):
        if removed or Path(path) != folder:
            return make(path, mode)
        make(path)
        try:
            return make(path, mode)  # File exists
        finally:
            removed.append(path)
            Path(path).rmdir()

    cache_folder().mkdir()
    monkeypatch.setattr(os, "mkdir", made_and_removed_by_another)
    make_folder(folder)
    assert removed and folder.is_dir()


@pytest.mark.parametrize(("before", "read"), [(False, 1), (True, 2)])
def test_the_first_of_several_checks_the_files_for_those_that_wait(before, read, monkeypatch):
    """Every process reads the files for itself if it comes later."""
    make, waiting, pieces = Maker(), threading.Semaphore(0), []
    flock, pread = fcntl.flock, os.pread

    def counted(file, how):
        if not how & fcntl.LOCK_NB:
            waiting.release()
        flock(file, how)

    monkeypatch.setattr("fcntl.flock", counted)
    monkeypatch.setattr("os.pread", lambda *rest: pieces.append(0) or pread(*rest))
    if before:
        store(make)
    make_folder(cache_folder() / NAME)
    with ThreadPoolExecutor(3) as pool:
        with (cache_folder() / NAME / "lock").open("a") as lock:
            flock(lock, fcntl.LOCK_EX)
            found = [pool.submit(store, make) for _ in range(3)]
            for _ in found:
                assert waiting.acquire(timeout=60)
        assert [each.result().tolist() for each in found] == [[7] * 3000] * 3
    assert (make.calls, len(pieces)) == (1, read)
    store(make)
    assert (make.calls, len(pieces)) == (1, read + 1)


def test_files_are_checked_by_another_if_the_first_is_killed():
    make = Maker()
    store(make)
    flip_a_byte(cache_folder() / NAME)
    with (cache_folder() / NAME / "lock").open("a") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = pool.submit(store, make)
        time.sleep(0.1)
        lock.close()
        assert found.result().tolist() == [7] * 3000
    assert make.calls == 2


def test_an_error_is_reported_if_the_folder_was_deleted_too():
    def fail():
        shutil.rmtree(cache_folder())
        raise ValueError("a bad image")

    with pytest.raises(ValueError, match="a bad image"):
        store(fail)


def test_a_file_system_without_locks_is_reported(monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(SettingError, match=r"cannot be locked: No locks available\. Set KERASFT_"):
        store(Maker())


def test_a_full_disk_is_reported_after_other_arrays_were_removed(monkeypatch):
    store(Maker(), OTHER)
    os.utime(cache_folder() / OTHER / "arrays.json", (0, 0))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.disk_usage", lambda _: Free)
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"No space left on device\): use fewer, or set"):
        store(Maker())
    assert not (cache_folder() / OTHER).exists()
    assert stored_files() == ["lock"]


def test_removed_arrays_that_a_fit_maps_are_not_free_space(monkeypatch):
    mapped = store(Maker(), OTHER)
    store(Maker(), THIRD)
    os.utime(cache_folder() / OTHER / "arrays.json", (0, 0))

    def usage(_):
        """The free space of a disk for two: that of unmapped entries that are removed."""
        disk = Free()
        disk.free = 0 if (cache_folder() / THIRD).exists() else SIZE
        return disk

    monkeypatch.setattr("shutil.disk_usage", usage)
    store(Maker())
    assert [path.name for path in cache_folder().iterdir()] == [NAME]
    assert mapped.tolist() == [7] * 3000


class Free:
    """A disk without free space."""

    free = 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(SettingError, match=r"cannot be made: (Not a directory|File exists)\. Set"):
        store(Maker())


def test_the_folder_is_in_the_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("KERASFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(cache_folder()) == "/caches/kerasft"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "kerasft"
