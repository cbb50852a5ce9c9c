"""check: the table of findings, the JSON, the exit code."""

import json

import pytest

from kerasft.checks import Check
from kerasft.checks.needs import Need
from kerasft.checks.phase_times import PhaseTime
from kerasft.checks.plan import ModelPlan, Plan
from kerasft.data_finding import DataFinding
from kerasft.reachable_hosts import Download

LONG = DataFinding(
    "truncated", "warning", "3 of 10 texts were truncated.", 3, ("row 1",), {"sequence_length": 256}
)
LEAK = DataFinding("duplicates", "error", "9 of 10 are in train.", 9, ("a = b",), advice="Remove.")
PLAN = Plan(
    {"train": 1000, "test": 10},
    32,
    (Download("the preset x (about 9 MB)", "example.org"),),
    ModelPlan(
        1234567,
        10,
        (PhaseTime("main", 3, 32, 0.0123, 90.0, cached=True, feature_seconds=2.5),),
        Need({"parameters": 2**20, "inputs": 2**20}, 2**30),
        Need({"weights": 2**20}, 2**30),
    ),
)


@pytest.fixture
def found(api):
    def make(*findings):
        api("check", Check(findings, PLAN))

    return make


@pytest.fixture
def line(kerasft_line, recipe_file):
    return lambda *words: kerasft_line("check", recipe_file, *words)


def test_findings_are_a_table_with_their_fixes(found, line):
    found(LEAK, LONG)
    result = line("--stamps", 3)
    assert result.exit_code == 3
    rows = result.stdout.splitlines()
    assert rows[0].split() == ["LEVEL", "FINDING", "FIX"]
    assert rows[1].split() == [*["error", "9", "of", "10", "are", "in", "train.", "Remove."]]
    assert rows[2].endswith("--sequence-length 256")
    assert rows[4:] == [
        "download  the preset x (about 9 MB) from example.org",
        "examples  1,000 train, 10 test; 32 steps per epoch",
        "model     1,234,567 parameters, 10 trained",
        "time      main: 3 epochs of 1m30s (32 steps of 12 ms), frozen features once in 2.5 s",
        "in all    about 4m32s, then evaluation",
        "memory    2.0 MiB of 1.0 GiB free, without activations",
        "disk      1.0 MiB of 1.0 GiB free",
        "next      fix the error above, then check again",
    ]


def test_the_next_command_has_the_settings_that_fix_errors(found, line):
    bad = DataFinding("unreadable", "error", "3 cannot be read.", 3, changes={"drop_bad": True})
    found(bad, LONG)
    assert line().stdout.splitlines()[-1] == "next      kerasft fit mail.py --drop-bad"


def test_warnings_do_not_fail(found, line):
    found(LONG)
    assert line().exit_code == 0
    found()
    assert "No problems found." in line().stdout


def test_the_json_has_findings_with_their_commands(found, line):
    found(LEAK, LONG)
    result = line("--stamps", 3, "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert not report["ok"]
    commands = [finding["command"] for finding in report["findings"]]
    assert commands == [None, "kerasft fit mail.py --stamps 3 --sequence-length 256"]
    assert report["findings"][1]["examples"] == ["row 1"]
    assert report["plan"]["examples"] == {"train": 1000, "test": 10}
    assert report["plan"]["downloads"][0]["host"] == "example.org"
    model = report["plan"]["model"]
    assert (model["seconds"], model["phases"][0]["seconds_per_step"]) == (272.5, 0.0123)
    assert model["memory"] == {"parts": {"parameters": 2**20, "inputs": 2**20}, "free": 2**30}


def test_options_reach_the_api(found, line, api):
    found()
    assert line("--no-timing", "--runs-dir", "elsewhere").exit_code == 0
    ((_, _, options),) = api.calls
    assert (options["timing"], options["runs_dir"]) == (False, "elsewhere")


def test_quiet_prints_the_number_of_errors(found, line):
    found(LEAK, LONG)
    assert line("-q").stdout == "1\n"
