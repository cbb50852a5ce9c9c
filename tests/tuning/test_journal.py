"""The journal: on the disk before the search goes on, whatever happens."""

import contextlib
import json
import multiprocessing

import pytest

from kerasft.errors import DamagedFileError, ResourceError, SettingError
from kerasft.tuning.journal import JOURNAL, Journal, differences, locked, read_journal
from kerasft.tuning.results import load_search


@pytest.fixture
def folder(tmp_path):
    journal = Journal(tmp_path)
    journal.write("search", seed=0)
    journal.write("trial", trial=0, values={"dropout": 0.1})
    journal.close()
    return tmp_path


def test_events_come_back_in_their_order(folder):
    assert [event["event"] for event in read_journal(folder)] == ["search", "trial"]
    assert read_journal(folder)[1]["values"] == {"dropout": 0.1}


@pytest.mark.parametrize("torn", ['{"event": "end", "tri', "{", "\x00\x00"])
def test_an_incomplete_last_line_is_skipped_and_removed(folder, torn):
    with open(folder / JOURNAL, "a") as file:
        file.write(torn)
    assert len(read_journal(folder)) == 2
    journal = Journal(folder)
    journal.write("end", trial=0, score=0.5)
    journal.close()
    lines = (folder / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["search", "trial", "end"]


def test_a_damaged_line_is_named(folder):
    path = folder / JOURNAL
    path.write_text(path.read_text().replace('{"event": "trial"', '{"event: "trial"'))
    with pytest.raises(DamagedFileError, match=r"Line 2 of .*journal\.jsonl is damaged"):
        read_journal(folder)


def test_what_is_no_number_is_null(folder):
    journal = Journal(folder)
    journal.write("end", score=float("nan"))
    journal.close()
    assert read_journal(folder)[-1]["score"] is None


def test_a_folder_that_is_not_a_search_is_refused(tmp_path):
    with pytest.raises(SettingError, match="is not a search"):
        read_journal(tmp_path)


def test_a_full_disk_loses_nothing_that_was_written(folder, file_size_limit):
    journal = Journal(folder)
    file_size_limit(1000)
    with pytest.raises(ResourceError, match=r"journal\.jsonl cannot be written"):
        for number in range(100):
            journal.write("end", trial=number, text="x" * 40)
    file_size_limit(None)
    journal.close()
    events = read_journal(folder)
    assert len(events) > 5
    assert [event["trial"] for event in events[2:]] == list(range(len(events) - 2))
    assert (folder / JOURNAL).read_bytes().endswith(b"}\n")


def _hold(folder, ready, done):
    with locked(folder):
        ready.set()
        done.wait(60)


def test_a_second_process_is_refused_and_a_dead_one_is_forgotten(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready, done))
    process.start()
    assert ready.wait(120)
    with pytest.raises(SettingError, match=f"process {process.pid}"), locked(tmp_path):
        pass
    process.kill()
    process.join()
    with locked(tmp_path):
        pass


def test_differences_name_what_and_how():
    before = {"config": {"epochs": 3, "dropout": 0.1}, "seed": 0, "gone": 1}
    now = {"config": {"epochs": 4, "dropout": 0.1}, "seed": 0}
    assert differences(before, now) == [
        "config.epochs: 3 before, 4 now",
        "gone: 1 before, null now",
    ]


def test_differences_of_a_space_name_the_dimension():
    before = {"space": [{"name": "a", "min": 1, "max": 2}, {"name": "b", "values": [0]}]}
    now = {"space": [{"name": "a", "min": 1, "max": 3}]}
    assert differences(before, now) == [
        "space.a.max: 2 before, 3 now",
        'space.b: {"name": "b", "values": [0]} before, null now',
    ]


def test_a_search_that_ended_before_its_first_trial_has_no_defaults(tmp_path):
    with contextlib.closing(Journal(tmp_path)) as journal:
        journal.write(
            "search", validation_examples=5, objective={"name": "val_accuracy", "direction": "max"}
        )
    search = load_search(tmp_path)
    for name in ("best", "defaults", "noise"):
        with pytest.raises(SettingError, match=r"No trial of .* was completed|has no trial yet"):
            getattr(search, name)
