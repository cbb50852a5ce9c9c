"""The journal: on the disk before the search goes on, whatever happens."""

import json
import multiprocessing

import pytest

from kerasft.display import showing
from kerasft.errors import DamagedFileError, ResourceError, SettingError
from kerasft.tuning.journal import (
    JOURNAL,
    Journal,
    begin_journal,
    differences,
    locked,
    read_journal,
)
from kerasft.tuning.plan import find_folder
from kerasft.tuning.results import load_search

HEADER = {
    "recipe": {"name": "mail"}, "config": {"task": "classification"}, "given": {}, "space": [],
    "objective": {"name": "val_accuracy", "direction": "max"}, "tuner": "random",
    "validation_examples": 5,
}  # fmt: skip
TRIAL = {"trial": 0, "key": None, "values": {"dropout": 0.1}, "epochs": 2, "continues": None}


@pytest.fixture
def folder(tmp_path):
    begin_journal(tmp_path, HEADER)
    journal = Journal(tmp_path)
    journal.write("trial", **TRIAL)
    journal.close()
    return tmp_path


def test_events_come_back_in_their_order(folder):
    assert [event["event"] for event in read_journal(folder)] == ["search", "trial"]
    assert read_journal(folder)[1]["values"] == {"dropout": 0.1}


@pytest.mark.parametrize("torn", ['{"event": "end", "tri', "{", "\x00\x00"])
def test_an_incomplete_last_line_is_skipped_and_removed(folder, torn, capsys):
    with open(folder / JOURNAL, "a") as file:
        file.write(torn)
    assert len(read_journal(folder)) == 2
    with showing():
        journal = Journal(folder)
    assert "note   dropped the incomplete last line of" in capsys.readouterr().err
    journal.write("end", trial=0, state="completed", score=0.5)
    journal.close()
    lines = (folder / JOURNAL).read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["search", "trial", "end"]


def test_a_damaged_line_is_named(folder):
    path = folder / JOURNAL
    path.write_text(path.read_text().replace('{"event": "trial"', '{"event: "trial"'))
    with pytest.raises(DamagedFileError, match=r"Line 2 of .*journal\.jsonl is damaged"):
        read_journal(folder)


@pytest.mark.parametrize("content", ["", '{"event": "search", "rec', "\0" * 4096])
def test_a_journal_without_a_whole_line_is_damaged(folder, content):
    (folder / JOURNAL).write_text(content)
    with pytest.raises(DamagedFileError, match=r"journal\.jsonl is damaged: it has no whole line"):
        read_journal(folder)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ([1, 2], "it is not an event"),
        ({"event": ["end"]}, "it is not an event"),
        ({"event": "finish"}, "it is not an event"),
        ({"event": "search", **HEADER}, "'search' is not the event that belongs there"),
        ({"event": "end", "state": "completed"}, "`trial` is missing"),
        ({"event": "trial", **TRIAL, "trial": [0]}, r"`trial` is \[0\], but a whole number is"),
        ({"event": "trial", **TRIAL, "values": 1}, "`values` is 1, but an object is expected"),
        ({"event": "end", "trial": 0, "state": None}, "`state` is None, but a text is expected"),
        ({"event": "end", "trial": 0, "state": "completed", "score": "x"}, "`score` is 'x', but a"),
        ({"event": "end", "trial": 99, "state": "completed"}, "it names trial 99"),
        ({"event": "trial", **TRIAL, "trial": 1, "continues": 99}, "it names trial 99"),
        ({"event": "repeat", "key": "a", "values": {}, "of": 99}, "it names trial 99"),
    ],
)
def test_an_event_that_cannot_be_is_named(folder, event, reason):
    with open(folder / JOURNAL, "a") as file:
        file.write(json.dumps(event) + "\n")
    with pytest.raises(DamagedFileError, match=rf"Line 3 of .*journal\.jsonl is damaged: {reason}"):
        load_search(folder).trials  # noqa: B018


@pytest.mark.parametrize("change", [{"objective": "x"}, {"space": [1]}, {"recipe": {"name": 1}}])
def test_a_first_event_of_other_types_is_damaged(tmp_path, change):
    begin_journal(tmp_path, {**HEADER, **change})
    with pytest.raises(DamagedFileError, match=rf"Line 1 of .* `{next(iter(change))}"):
        read_journal(tmp_path)


def test_a_journal_without_its_first_event_is_damaged(folder):
    lines = (folder / JOURNAL).read_text().splitlines(keepends=True)
    (folder / JOURNAL).write_text("".join(lines[1:]))
    with pytest.raises(DamagedFileError, match=r"Line 1 of .* .trial. is not the event"):
        read_journal(folder)


def test_trials_without_their_journal_are_not_searched_again(folder):
    (folder / JOURNAL).unlink()
    (folder / "trials" / "0000").mkdir(parents=True)
    with pytest.raises(DamagedFileError, match=r"journal\.jsonl is missing"):
        find_folder(folder.parent, folder.name, resume=False)
    with pytest.raises(DamagedFileError, match=r"journal\.jsonl is missing"):
        find_folder(folder.parent, folder.name, resume=True)


def test_what_is_no_number_is_null(folder):
    journal = Journal(folder)
    journal.write("end", trial=0, state="completed", score=float("nan"))
    journal.close()
    assert read_journal(folder)[-1]["score"] is None


def test_a_folder_that_is_not_a_search_is_refused(tmp_path):
    with pytest.raises(SettingError, match="is not a search"):
        read_journal(tmp_path)


def test_a_full_disk_loses_nothing_that_was_written(folder, file_size_limit):
    journal = Journal(folder)
    file_size_limit(2000)
    with pytest.raises(ResourceError, match=r"journal\.jsonl cannot be written"):
        for number in range(100):
            journal.write("trial", **{**TRIAL, "trial": number + 1}, text="x" * 40)
    file_size_limit(None)
    journal.close()
    events = read_journal(folder)
    assert len(events) > 5
    assert [event["trial"] for event in events[1:]] == list(range(len(events) - 1))
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
    begin_journal(tmp_path, HEADER)
    search = load_search(tmp_path)
    for name in ("best", "defaults", "noise"):
        with pytest.raises(SettingError, match=r"No trial of .* was completed|has no trial yet"):
            getattr(search, name)
