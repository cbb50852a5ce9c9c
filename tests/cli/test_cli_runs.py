"""RUN on the command line, and the table of runs."""

import json
from pathlib import Path

import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.runs import file_lock, find_run
from kerasft.runs.run import FIT_LOCK


@pytest.fixture
def runs(make_run):
    make_run("first", created="2026-01-31T12:00:00+00:00")
    make_run("second", created="2026-02-01T12:00:00+00:00")
    make_run("third", created="2026-02-02T12:00:00+00:00", state="failed")
    make_run("other", "post", created="2026-01-01T12:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("runs/mail/first", "runs/mail/first"),
        ("runs/mail/first/", "runs/mail/first"),
        ("mail/first", "runs/mail/first"),
        ("mail/third", "runs/mail/third"),
        ("mail", "runs/mail/second"),
        ("post", "runs/post/other"),
        ("latest", "runs/mail/second"),
    ],
)
def test_a_run_is_found_by_path_name_recipe_or_as_the_latest(runs, text, found):
    assert find_run(text, "runs") == Path(found)
    assert kerasft.load_run(text) == kerasft.load_run(Path(found))


def test_a_run_is_found_by_its_name_where_one_alone_has_it(runs, make_run):
    assert find_run("second", "runs") == Path("runs/mail/second")
    make_run("second", recipe="post")
    with pytest.raises(SettingError, match="named second: mail/second, post/second"):
        find_run("second", "runs")


def test_the_latest_is_an_unfinished_run_where_no_other_is(make_run):
    make_run(state="interrupted")
    assert find_run("latest", "runs") == Path("runs/mail/first")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mail/frist", "Run 'mail/frist' not found in runs (/"),
        ("mail/frist", "Did you mean 'mail/first'? List runs: kerasft runs."),
        ("secnod", "Did you mean 'second'?"),
        ("mial", "Did you mean 'mail'?"),
        ("runs/mail/frist", "Run 'runs/mail/frist' not found. Did you mean 'first'?"),
        ("runs", "runs is not a run: it has no manifest.json."),
    ],
)
def test_an_unknown_run_is_refused_with_the_near_one(runs, text, message):
    with pytest.raises(SettingError) as raised:
        find_run(text, "runs")
    assert message in str(raised.value)


def test_a_search_is_named_as_such(runs):
    folder = Path("searches/mail/first")
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").touch()
    with pytest.raises(SettingError, match=r"is a search, but a run is expected\..*--fit-best"):
        find_run(str(folder), "runs")


@pytest.mark.parametrize("text", ["latest", "mail/first"])
def test_without_runs_the_error_shows_how_to_make_one(kerasft_line, text):
    result = kerasft_line("evaluate", text)
    assert result.exit_code == 2
    assert "Start one: kerasft fit RECIPE." in result.stderr
    assert f"({Path('runs').absolute()})" in result.stderr
    assert "Runs of another folder: --runs-dir." in result.stderr


def test_runs_is_a_table_with_the_newest_last(runs, kerasft_line):
    lines = kerasft_line("runs").stdout.splitlines()
    headings = ["RUN", "DATASET", "STATE", "TEST", "EPOCHS", "SECONDS", "CREATED", "(UTC)"]
    assert lines[0].split() == headings
    names = [line.split()[0] for line in lines[1:]]
    assert names == ["post/other", "mail/first", "mail/second", "mail/third"]
    assert "accuracy 0.9, f1 0.85  2            12  2026-01-31 12:00" in lines[2]
    assert "failed" in lines[4]


def test_runs_of_one_recipe(runs, kerasft_line):
    assert kerasft_line("runs", "post", "-q").stdout == "runs/post/other\n"
    result = kerasft_line("runs", "pots")
    assert result.exit_code == 2 and "Did you mean 'post'?" in result.stderr


def test_runs_for_programs(runs, kerasft_line):
    rows = json.loads(kerasft_line("runs", "mail", "--json").stdout)
    assert [row["run"] for row in rows] == ["first", "second", "third"]
    assert rows[0]["metrics"]["test"]["accuracy"] == 0.9
    assert "per_class" not in rows[0]["metrics"]["test"]
    assert (rows[0]["epochs"], rows[0]["seconds"], rows[0]["state"]) == (2, 12.3, "done")


def test_a_damaged_run_does_not_hide_the_others(runs, kerasft_line):
    Path("runs/mail/first/history.json").write_text("{")
    rows = json.loads(kerasft_line("runs", "mail", "--json").stdout)
    assert [row["state"] for row in rows] == ["damaged", "done", "failed"]
    assert "history.json" in rows[0]["reason"]
    assert "damaged" in kerasft_line("runs").stdout


def test_no_runs_is_no_error(kerasft_line):
    result = kerasft_line("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No runs in runs yet." in result.stderr
    assert json.loads(kerasft_line("runs", "--json").stdout) == []


def test_deleting_a_linked_run_deletes_the_link_alone(make_run, kerasft_line):
    real = make_run("real")
    before = {path: path.read_bytes() for path in real.path.iterdir()}
    link = Path("runs/mail/linked")
    link.symlink_to(real.path.absolute(), target_is_directory=True)
    result = kerasft_line("runs", "delete", "mail/linked", "--yes")
    assert result.exit_code == 0, result.stderr
    assert f"{link} (a link: {real.path.absolute()} is not deleted)" in result.stderr
    assert not link.is_symlink()
    assert {path: path.read_bytes() for path in real.path.iterdir()} == before
    link.symlink_to("real", target_is_directory=True)  # relative, named as a folder
    assert kerasft_line("runs", "delete", f"{link}/", "--yes").exit_code == 0
    assert not link.is_symlink() and (real.path / "manifest.json").is_file()
    link.symlink_to("real", target_is_directory=True)
    assert kerasft_line("runs", "delete", "mail/real", "mail/linked", "--yes").exit_code == 0
    assert not link.is_symlink() and not real.path.exists()


def test_a_run_that_is_named_twice_is_deleted_once(make_run, kerasft_line):
    path = make_run("twice").path
    result = kerasft_line("runs", "delete", "mail/twice", str(path.absolute()), "--yes")
    assert result.exit_code == 0 and not path.exists()
    assert len(result.stderr.splitlines()) == 1


def test_a_run_that_is_being_trained_is_not_deleted(make_run, kerasft_line):
    idle, path = make_run("idle").path, make_run("busy").path
    with file_lock(path / FIT_LOCK, "is training."):
        result = kerasft_line("runs", "delete", "mail/idle", "mail/busy", "--yes")
    assert result.exit_code == 2
    assert "busy is being trained. Wait for its fit, or stop it first." in result.stderr
    assert idle.exists()
    assert path.exists()
    assert kerasft_line("runs", "delete", "mail/busy", "--yes").exit_code == 0
