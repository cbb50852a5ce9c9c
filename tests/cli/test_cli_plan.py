"""plan: tables, JSON, and which options belong together."""

import dataclasses
import json

import pytest

from kerasft.planning import interconnect
from kerasft.planning.fit_plan import FitPlan, PhasePlan, Scale
from kerasft.planning.interconnect import Link
from kerasft.planning.scheduling import Costs
from kerasft.planning.search_plan import SearchPlan, WorkerCount

FIT = FitPlan(
    (
        PhasePlan(
            "main", 3, 10, 2**20,
            (Scale(1, 1, 32, 0.2, 0.0, 0.0, 2.0, 1.0), Scale(1, 2, 16, 0.1, 0.01, 2**20, 1.1, 1.8)),
        ),
    ),
    seconds=3.3,
    seconds_on_one=6.0,
    seconds_on_worthwhile=3.3,
    device_memory={"parameters": 2**20},
    device_link=Link(3e9, 2e-5, "measured here"),
    host_link=Link(1.25e9, 5e-5, "typical of 10 Gbit/s Ethernet"),
)  # fmt: skip
SEARCH = SearchPlan(
    "random", 1000, Costs((2.0, 4.0), 10.0, 0.02), "of the given time of a trial",
    (WorkerCount(1, 600.0, 1.0, 1.0), WorkerCount(2, 590.0, 0.51, 1.01)),
)  # fmt: skip


@pytest.fixture
def plan(api, kerasft_line, recipe_file):
    """Runs `kerasft plan` with stand-ins for both predictions."""
    api("plan_fit", FIT)
    api("plan_search", SEARCH)
    (recipe_file.parent / "mail.csv").write_text("text,label\nhello,letter\n")

    def run(*words):
        return kerasft_line("plan", recipe_file, *words)

    run.calls = api.calls
    return run


def test_a_fit_is_a_table_with_the_source_of_every_number(plan):
    result = plan("--devices", 2, "--epochs", 3)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        *(
            "PHASE",
            "HOSTS",
            "ALL",
            "DEVICES",
            "ROWS",
            "EACH",
            "STEP",
            "ALL-REDUCE",
            "SENT",
            "EPOCH",
        ),
        "SPEEDUP",
    ]
    assert "100 ms  10 ms" in lines[2]
    facts = dict(line.split(maxsplit=1) for line in lines[4:] if not line.startswith(" "))
    assert facts["worthwhile"] == "main: all 2 devices"
    assert facts["time"].startswith("3s with all 2 devices, 6s with one device")
    assert facts["assumed"].startswith("1.25 GB/s and 50 µs between hosts (typical of")
    assert "3 GB/s and 20 µs between devices of a host (measured here)" in result.stdout
    assert "--epochs 3  # in 2 processes" in facts["next"]


def test_the_time_of_the_worthwhile_devices_is_printed_beside_that_of_all(api, plan):
    (phase,) = FIT.phases
    four = dataclasses.replace(phase.scales[1], devices=4, rows=8, epoch_seconds=1.0, speedup=2.0)
    more = dataclasses.replace(phase, scales=(*phase.scales, four))
    api("plan_fit", dataclasses.replace(FIT, phases=(more,), seconds=2.0))
    printed = plan("--devices", 4).stdout
    assert "main: up to 2 of 4 devices" in printed
    assert "3s with 2 (worthwhile), 2s with all 4 devices, 6s with one device" in printed


@pytest.mark.parametrize(
    ("gpus", "end"), [(True, "--devices 2"), (False, "# in 2 processes: see Scale out in the docs")]
)
def test_the_next_command_has_the_devices_of_a_host_with_gpus(api, plan, monkeypatch, gpus, end):
    monkeypatch.setattr(interconnect, "on_accelerator", lambda: gpus)
    given = Link(25e9, 1e-5, "given")
    api("plan_fit", dataclasses.replace(FIT, device_link=given, host_link=None))
    assert plan("--devices", 2).stdout.splitlines()[-1].endswith(end)


def test_options_that_are_left_out_have_the_defaults_of_python(plan):
    plan("--hosts", 2, "--bandwidth", 12.5)
    ((name, _, options),) = plan.calls
    assert name == "plan_fit"
    assert options == {"progress": True, "hosts": 2, "bandwidth": 12.5}


def test_a_search_is_planned_by_its_options(plan):
    result = plan("--workers", 2, "--trials", 1000, "--trial-seconds", 60)
    ((name, _, options),) = plan.calls
    assert name == "plan_search"
    assert options == {"progress": True, "workers": 2, "trials": 1000, "trial_seconds": 60.0}
    assert "worthwhile  one worker" in result.stdout
    assert "3.0 s (of the given time of a trial)" in result.stdout


def test_json_has_all_numbers(plan):
    fit = json.loads(plan("--devices", 2, "--json").stdout)
    assert fit["phases"][0]["worthwhile"] == 2
    assert fit["phases"][0]["scales"][1]["communication_seconds"] == 0.01
    search = json.loads(plan("--workers", 2, "--json").stdout)
    assert (search["worthwhile"], search["scales"][1]["utilization"]) == (1, 0.51)


def test_quiet_prints_how_many_are_worthwhile(plan):
    assert plan("--devices", 2, "-q").stdout == "2\n"
    assert plan("--workers", 2, "-q").stdout == "1\n"


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (("--devices", "2", "--workers", "2"), ("--devices", "--workers")),
        (("--hosts", "2", "--from", "x"), ("--hosts", "--from")),
    ],
)
def test_options_of_both_kinds_are_a_usage_error(plan, words, flags):
    result = plan(*words)
    assert result.exit_code == 2
    assert "give one kind" in result.stderr
    assert all(flag in result.stderr for flag in flags)
    assert not plan.calls
