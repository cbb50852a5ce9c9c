"""check: the table of findings, the JSON, the exit code."""

import json

import pytest

from kerasft.checks import Check
from kerasft.data_finding import DataFinding

LONG = DataFinding(
    "truncated", "warning", "3 of 10 texts were truncated.", 3, ("row 1",), {"sequence_length": 256}
)
LEAK = DataFinding("duplicates", "error", "9 of 10 are in train.", 9, ("a = b",), advice="Remove.")


@pytest.fixture
def found(api):
    def make(*findings):
        api("check", Check(findings, {"train": 10}))

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
    assert rows[-1].endswith("kerasft fit mail.py --stamps 3")


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


def test_quiet_prints_the_number_of_errors(found, line):
    found(LEAK, LONG)
    assert line("-q").stdout == "1\n"
