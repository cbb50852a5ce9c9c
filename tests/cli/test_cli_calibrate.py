"""`kerasft calibrate`, and how predictions show what is fitted."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kerasft.cli import main
from kerasft.runs import write_json

FITTED = {"temperature": 1.0, "slopes": [], "offsets": [], "thresholds": [], "rejection": None,
          "sets": None, "interval": None, "known": None}  # fmt: skip
RECORD = {
    "examples": 120,
    "calibration": {
        **FITTED,
        "temperature": 1.5,
        "rejection": 0.81,
        "sets": {"coverage": 0.9, "kind": "adaptive", "limit": 0.7},
        "known": {"coverage": 0.95, "threshold": -1.5},
    },
    "scores": {
        "log_loss": {"before": 0.5, "after": 0.4},
        "calibration_error": {"before": 0.1, "after": 0.02},
        "set_size": 1.25,
        "accepted": 0.7,
        "accepted_error": 0.01,
    },
    "notes": ["A note."],
}


@pytest.fixture
def run(make_run):
    return make_run()


def test_a_calibration_is_shown(run, kerasft_line, api):
    api("calibrate", RECORD)
    result = kerasft_line("calibrate", "latest", "--max-error", "0.02")
    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("note   A note.\n")
    lines = [line.split("  ", 1) for line in result.stdout.splitlines()]
    shown = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    assert lines[0] == ["runs/mail/first, fitted on 120 validation examples"]
    assert shown["temperature"] == "1.5"
    assert shown["log loss"] == "0.5 before, 0.4 after"
    assert shown["accepted"].startswith("70% of the predictions, those with a probability of at")
    assert shown["prediction sets"] == "average size 1.25, for a coverage of 90%"
    assert shown["known inputs"] == "score of at least -1.5"
    ((_, (path,), options),) = api.calls
    assert (path, options["max_error"], options["coverage"]) == (Path("runs/mail/first"), 0.02, 0.9)
    assert kerasft_line("calibrate", "latest", "-q").stdout == "runs/mail/first\n"
    found = json.loads(kerasft_line("calibrate", "latest", "--json").stdout)
    assert found == {"run": "runs/mail/first", **RECORD}


@pytest.mark.parametrize(
    ("fitted", "scores", "wanted"),
    [
        ({"slopes": [1.0, 2.0], "offsets": [0.0, 0.5]}, {}, "scaled for 1 of 2 labels"),
        ({"thresholds": [0.25, 0.5]}, {}, "0.25 to 0.5"),
        ({"interval": {"coverage": 0.9, "margin": 12.5, "logarithm": False}}, {}, "±12.5, for a"),
        ({"interval": {"coverage": 0.9, "margin": 0.0, "logarithm": True}}, {}, "multiplied by 1"),
        ({}, {"log_loss": {"before": 0.5, "after": 0.5}}, "unchanged"),
    ],
)
def test_what_other_tasks_have_fitted_is_shown(run, kerasft_line, api, fitted, scores, wanted):
    api("calibrate", {**RECORD, "calibration": {**FITTED, **fitted}, "scores": scores})
    assert wanted in kerasft_line("calibrate", "latest").stdout


@pytest.mark.parametrize(
    "words", [["--coverage", "1"], ["--max-error", "0"], ["--min-recall", "often"]]
)
def test_a_share_is_above_0_and_below_1(run, kerasft_line, api, words):
    result = kerasft_line("calibrate", "latest", *words)
    assert result.exit_code == 2
    assert words[0] in result.stderr


@pytest.mark.parametrize(
    ("labels", "row", "line"),
    [
        (
            {"task": "classification", "names": ["letter", "parcel"]},
            {"prediction": "letter", "probability": 0.548, "known": False, "known_score": -9.12345,
             "accepted": False, "p(letter)": 0.548, "p(parcel)": 0.452},
            "letter  55 %  (parcel 45 %)  unlike the training data  not accepted",
        ),
        (
            {"task": "multilabel", "names": ["late", "rude", "wet"]},
            {"prediction": "rude|late", "known": True, "p(late)": 0.3, "p(rude)": 0.6,
             "p(wet)": 0.4},
            "rude 60 %, late 30 %  (wet 40 %)",
        ),
        (
            {"task": "regression", "names": [], "mean": 9000.0, "std": 5200.0},
            {"prediction": 13412.3828, "lower": 12000.125, "upper": 15000.875, "unit": "EUR",
             "known": False},
            "13,410 EUR  (12,000 to 15,000)  unlike the training data",
        ),
    ],
)  # fmt: skip
def test_a_line_shows_what_is_fitted(run, kerasft_line, api, monkeypatch, labels, row, line):
    write_json(run.path / "labels.json", labels)
    api("predict", [{"input": "x", **row}])
    monkeypatch.setattr("kerasft.cli.predict.on_terminal", lambda: True)
    assert kerasft_line("predict", "latest", "x").stdout == f"{line}\n"


def test_a_table_rounds_what_is_fitted(run, kerasft_line, api):
    api("predict", [{"input": "x", "prediction": "letter", "probability": 0.5, "known": False,
                     "known_score": -9.123456, "p(letter)": 0.5}])  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(kerasft_line("predict", "latest", "x").stdout))
    assert (row["known"], row["known_score"]) == ("False", "-9.1235")


def test_an_evaluation_shows_the_calibrated_answers(run, kerasft_line, api, metrics):
    api("evaluate", {**metrics, "calibrated": {"set_coverage": 0.91, "set_size": 1.5}})
    lines = [line.split() for line in kerasft_line("evaluate", "latest").stdout.splitlines()]
    assert ["set_coverage", "0.91"] in lines and ["accuracy", "0.9"] in lines


def test_the_help_promises_no_share_of_errors():
    shown = CliRunner().invoke(main, ["calibrate", "--help"]).output
    assert "Largest estimated share of errors" in " ".join(shown.split())
