"""tune: what reaches the Python API, and what is printed of a search."""

import json
from pathlib import Path

import pytest

from kerasft.cli.tune import Duration
from kerasft.errors import NoTrialError, ResumeError
from kerasft.tuning.journal import Journal
from kerasft.tuning.results import load_search


@pytest.fixture
def search(kerasft_line):
    """A search of three trials, as its journal tells it."""
    folder = Path("searches/mail/first")
    folder.mkdir(parents=True)
    journal = Journal(folder)
    space = [{"kind": "Float", "name": "dropout", "min_value": 0.0, "max_value": 0.5}]
    journal.write(
        "search",
        recipe={"name": "mail", "source": "mail.py"},
        config={"task": "classification", "epochs": 10, "dropout": 0.2, "stamps": 3},
        given={"stamps": 3},
        space=space,
        objective={"name": "val_accuracy", "direction": "max"},
        tuner="random",
        validation_examples=100,
    )
    for number, (dropout, score) in enumerate([(0.2, 0.8), (0.41, 0.9), (0.1, None)]):
        journal.write(
            "trial", trial=number, key=None, values={"dropout": dropout}, epochs=10, continues=None
        )
        end = {"state": "failed", "reason": "it broke"} if score is None else {"score": score}
        journal.write("end", trial=number, **{"state": "completed", "seconds": 1.5, **end})
    journal.close()
    return load_search(folder)


def test_given_settings_are_held_and_options_reach_the_api(kerasft_line, api, recipe_file, search):
    api("tune", search)
    result = kerasft_line(
        "tune", recipe_file, "--stamps", 3, "--tuner", "hyperband", "--max-trials", 7,
        "--budget", "1h30m", "--space", "dropout=0,0.2", "--space", "epochs=2..4", "--workers", 2,
        "--resume", "--from", "searches/old", "--seed", 5,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    ((_, (module, config), options),) = api.calls
    assert (module.__doc__ or "").startswith("Sort the mail.")
    assert (config.stamps, config.seed) == (3, 5)
    assert sorted(options.pop("fixed")) == ["seed", "stamps"]
    assert options == {
        "tuner": "hyperband", "max_trials": 7, "max_epochs": None, "budget": 5400.0,
        "space": ["dropout=0,0.2", "epochs=2..4"], "executions": None, "workers": 2,
        "warm_start": "searches/old", "resume": True, "searches_dir": "searches", "name": None,
        "scheduler": None, "progress": True,
    }  # fmt: skip


def test_the_winner_the_gain_and_the_next_line_are_printed(kerasft_line, api, recipe_file, search):
    api("tune", search)
    lines = kerasft_line("tune", recipe_file).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "trials 2 completed, 1 failed",
        "best trial 1: val_accuracy 0.9 (dropout 0.41)",
        "defaults val_accuracy 0.8 (gain +0.1)",
        "search searches/mail/first (trials.csv, objective.png, settings.png)",
        "next kerasft fit mail.py --stamps 3 --dropout 0.41",
    ]


def test_a_search_for_programs(kerasft_line, api, recipe_file, search):
    api("tune", search)
    answer = json.loads(kerasft_line("tune", recipe_file, "--json").stdout)
    assert answer["best"] == {"trial": 1, "score": 0.9, "values": {"dropout": 0.41}}
    assert answer["trials"] == {"completed": 2, "failed": 1}
    assert answer["chance"] == answer["noise"] == pytest.approx(0.08)
    assert kerasft_line("tune", recipe_file, "-q").stdout == "searches/mail/first\n"


@pytest.mark.parametrize(
    ("error", "code"), [(NoTrialError("No trial was completed."), 7), (ResumeError("Another."), 4)]
)
def test_errors_leave_with_their_codes(kerasft_line, api, recipe_file, error, code):
    api("tune", error)
    result = kerasft_line("tune", recipe_file)
    assert result.exit_code == code
    assert str(error) in result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("0.5d", 43200)]
)
def test_times_are_read(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["soon", "3x", "1h-2m", ""])
def test_what_is_no_time_is_refused(kerasft_line, recipe_file, text):
    result = kerasft_line("tune", recipe_file, "--budget", text)
    assert result.exit_code == 2
    assert "is not a duration such as 90s, 30m, 2h or 1h30m" in result.stderr


def test_epochs_of_a_trial_are_given_once(kerasft_line, recipe_file):
    result = kerasft_line("tune", recipe_file, "--epochs", 4, "--max-epochs", 3)
    assert result.exit_code == 2
    assert "give one" in result.stderr


def test_trials_that_were_interrupted_are_called_so(kerasft_line, api, recipe_file, search):
    journal = Journal(search.path)
    journal.write("trial", trial=3, key=None, values={"dropout": 0.3}, epochs=10, continues=None)
    journal.close()
    api("tune", search)
    assert "2 completed, 1 failed, 1 interrupted" in kerasft_line("tune", recipe_file).stdout


def test_a_bad_dimension_is_quoted_as_it_was_typed(kerasft_line):
    result = kerasft_line("tune", "resnet_digits", "--space", "dropout=0..1")
    assert result.exit_code == 2
    message = "--space dropout=0..1: --dropout must be below 1. Received: --dropout 1.0."
    assert result.stderr.endswith(f"Error: {message}\n")
