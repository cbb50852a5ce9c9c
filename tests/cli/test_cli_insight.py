"""The commands about finished runs and learning rates, on the shell and for real."""

import dataclasses
import json
import shutil

import pytest

import kerasft
from kerasft.recipes import minilm_tickets
from kerasft.runs import read_json, write_json, write_manifest
from kerasft.runs.write import write_record
from tests.insight.record_faults import record_of


@pytest.fixture
def runs_dir(tmp_path, three_runs):
    """A copy of three real fits, which a test may change."""
    return shutil.copytree(three_runs, tmp_path / "runs")


@pytest.fixture(scope="session")
def three_runs(shared_folder, preset, reviews):
    """Two seeds, and another rate."""
    config = minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=16, trainable_blocks=0,
        head_epochs=0, epochs=3, batch_size=8, patience=0, learning_rate=1e-2,
    )  # fmt: skip

    def make(folder):
        for name, changes in (
            ("one", {}), ("two", {"seed": 1}), ("slow", {"learning_rate": 1e-5}),
        ):  # fmt: skip
            changed = dataclasses.replace(config, **changes)
            kerasft.fit(minilm_tickets, changed, runs_dir=folder, name=name, progress=False)

    return shared_folder("three-runs", make)


@pytest.fixture
def line(kerasft_line, runs_dir):
    def run(*words, **options):
        return kerasft_line(*words, "--runs-dir", runs_dir, **options)

    return run


def test_diagnose_says_what_to_change_with_the_command(line):
    done = line("diagnose", "minilm_tickets/slow")
    assert done.exit_code == 0
    found = json.loads(line("diagnose", "slow", "--json").output)
    first = found["findings"][0]
    assert done.output.startswith(f"1. {first['title']}")
    commands = [a["command"] for f in found["findings"] for a in f["advice"] if a["command"]]
    assert commands
    for command in commands:
        assert command.startswith("kerasft fit minilm_tickets ")
        assert command in done.output
    assert line("diagnose", "slow", "-q").output.split()[0] == first["name"]


@pytest.mark.parametrize("notes", [False, True])
def test_a_fit_without_faults_has_one_verdict_everywhere(notes, kerasft_line, tmp_path):
    run = kerasft.load_run(shutil.copytree(record_of("healthy"), tmp_path / "resnet_digits/one"))
    if notes:
        data = run.manifest["data"]
        write_manifest(run, data={**data, "examples": {**data["examples"], "validation": 10}})
    verdict = "No faults found." if notes else "No problems found."
    lines = kerasft_line("diagnose", run.path).output.splitlines()
    assert lines[0] == str(run.diagnose()).splitlines()[0] == verdict
    assert [line.endswith("(note)") for line in lines[1:2]] == [True] * notes
    report = kerasft.write_report(run).read_text(encoding="utf-8")
    for page in (report, run.diagnose()._repr_html_()):
        assert page.count(" found.") == 1 and verdict in page
        assert ("The validation split is too small" in page) == notes


def test_diagnose_compares_several_runs(line):
    done = line("diagnose", "one", "slow")
    at = done.output.splitlines().index("Settings of minilm_tickets/slow")
    assert done.output.splitlines()[at + 1] == "learning_rate  0.01 -> 1e-05"
    assert "\n\n" in done.output and not done.output.endswith("\n\n")
    found = json.loads(line("diagnose", "one", "slow", "--json").output)
    assert len(found["runs"]) == 2
    assert found["comparison"]["groups"][1]["difference"] < 0


def test_a_setting_without_a_value_is_called_not_set(kerasft_line, tmp_path):
    for name in ("one", "two"):
        run = kerasft.load_run(
            shutil.copytree(record_of("healthy"), tmp_path / "resnet_digits" / name)
        )
        config = read_json(run.path / "config.json")
        write_record(run, "config.json", {**config, "monitor": None if name == "one" else "val_f1"})
    shown = kerasft_line("diagnose", "one", "two", "--runs-dir", tmp_path).output
    assert "monitor  not set -> val_f1" in shown


def test_a_run_that_is_named_twice_is_diagnosed_once(line):
    assert line("diagnose", "one", "minilm_tickets/one").output == line("diagnose", "one").output


def seeds_of_a_slow_fit(folder, *records):
    """Make runs that differ in their seed, with the scores of some records."""
    slow = kerasft.load_run(record_of("learning_rate_too_low"))
    for seed, record in enumerate(records):
        run = kerasft.load_run(
            shutil.copytree(record_of(record), folder / "resnet_digits" / f"s{seed}")
        )
        write_record(run, "config.json", {**read_json(slow.path / "config.json"), "seed": seed})
        write_manifest(run, learning_rates=slow.manifest["learning_rates"])
        yield run


def test_the_faults_of_several_seeds_are_counted(kerasft_line, tmp_path):
    list(seeds_of_a_slow_fit(tmp_path, "learning_rate_too_low", "healthy", "learning_rate_too_low"))
    lines = kerasft_line("diagnose", "s0", "s1", "s2", "--runs-dir", tmp_path).output.splitlines()
    at = lines.index("A fault that only some seeds have may be chance.")
    assert lines[at - 1].startswith("The learning rate is too low")
    assert lines[at - 1].split()[-3:] == ["2", "of", "3"]
    both = kerasft_line("diagnose", "s0", "s2", "--runs-dir", tmp_path).output
    assert "2 of 2" in both and "may be chance" not in both


def test_seeds_without_scores_are_diagnosed_and_counted_too(kerasft_line, tmp_path):
    for run in seeds_of_a_slow_fit(tmp_path, "healthy", "healthy"):
        write_record(run, "metrics.json", {})
        write_manifest(run, state="failed", reason="loss became NaN", failure="diverged")
    done = kerasft_line("diagnose", "s0", "s1", "--runs-dir", tmp_path)
    assert done.exit_code == 0, done.output
    assert "The training diverged  2 of 2" in done.output


def test_seeds_count_as_one_with_mean_and_spread(line, tmp_path):
    done = line("runs", "compare", "one", "two", "slow", "--plot", tmp_path / "curves.png")
    assert done.exit_code == 0
    assert done.output.splitlines()[1].startswith("minilm_tickets/one and 1 more ")
    assert "±" in done.output
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    best = line("runs", "compare", "slow", "one", "-q").output.strip()
    assert best.endswith("one")


def test_runs_are_compared_by_another_score(line):
    done = line("runs", "compare", "one", "slow", "--score", "f1")
    assert "VALIDATION F1" in done.output.splitlines()[0]
    found = json.loads(line("runs", "compare", "one", "slow", "--score", "f1", "--json").output)
    assert 0 < found["groups"][1]["noise"] < 1
    for habit in ("macro_f1", "F1", "macro-f1"):
        refused = line("runs", "compare", "one", "slow", "--score", habit)
        assert refused.exit_code == 2 and "Did you mean 'f1'?" in refused.output
    refused = line("runs", "compare", "one", "slow", "--score", "f")
    assert refused.exit_code == 2 and "Did you mean 'f1'" in refused.output
    unknown = json.loads(line("runs", "compare", "one", "slow", "--score", "loss", "--json").output)
    assert unknown["groups"][1]["verdict"].startswith("unknown")


@pytest.mark.parametrize("runs", [["one"], ["one", "minilm_tickets/one"]])
def test_one_run_is_not_compared(line, runs):
    done = line("runs", "compare", *runs)
    assert done.exit_code == 2
    assert "Name two or more" in done.output


def test_runs_are_filtered_and_sorted(line):
    names = lambda *words: [row["run"] for row in json.loads(line("runs", *words, "--json").output)]  # noqa: E731
    assert names() == ["one", "two", "slow"]
    assert names("minilm_tickets", "--where", "seed=1") == ["two"]
    assert names("--where", "learning-rate=1e-2", "--where", "state=done") == ["one", "two"]
    assert names("--sort", "score")[0] == "slow"
    done = line("runs", "--where", "seed")
    assert done.exit_code == 2
    assert "NAME=VALUE" in done.output


def test_a_report_is_one_file(line, runs_dir, tmp_path):
    done = line("report", "one")
    assert done.output.strip() == str(runs_dir / "minilm_tickets" / "one" / "report.html")
    other = tmp_path / "page.html"
    assert line("report", "one", "-o", other).output.strip() == str(other)
    assert other.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_deleting_asks_and_takes_no_moving_names(kerasft_line, make_run):
    run = make_run("first")
    make_run("second")
    assert kerasft_line("runs", "delete", "latest").exit_code == 2
    assert kerasft_line("runs", "delete", "mail").exit_code == 2
    refused = kerasft_line("runs", "delete", "mail/first", input="n\n")
    assert refused.exit_code != 0
    assert run.path.exists()
    assert kerasft_line("runs", "delete", "mail/first", input="y\n").exit_code == 0
    assert not run.path.exists()
    assert kerasft_line("runs", "delete", "mail/second", "--yes").exit_code == 0


def test_find_lr_suggests_a_rate_and_draws_the_ramp(kerasft_line, preset, reviews, tmp_path):
    words = ["find-lr", "minilm_tickets", "--preset", preset("bert"), "--dataset", reviews,
             "--sequence-length", "16", "--batch-size", "8", "--head-epochs", "1",
             "--trainable-blocks", "1"]  # fmt: skip
    done = kerasft_line(*words, "--steps", "40", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output[done.output.index("{") :])
    assert set(found["rates"]) == {"head", "main"}
    assert all(1e-6 < rate < 10 for rate in found["rates"].values())
    assert (tmp_path / "find_lr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_baselines_begin_with_a_constant_and_seeds_give_a_spread(kerasft_line, preset, photos):
    words = ["fit", "resnet_digits", "--preset", preset("resnet"), "--dataset", photos,
             "--image-size", "16", "--epochs", "1", "--head-epochs", "0"]  # fmt: skip
    done = kerasft_line(*words, "--baselines", "--json")
    assert done.exit_code == 0, done.output
    steps = json.loads(done.stdout)["baselines"]
    assert [step["name"] for step in steps[:2]] == [
        "predicting the majority class", "linear probe on frozen features",
    ]  # fmt: skip
    assert steps[0]["run"] is None and steps[0]["score"] == pytest.approx(1 / 3, abs=0.2)
    assert all(step["improved"] == step["kept"] for step in steps)
    kept = [step for step in steps if step["kept"]]
    assert [step["chosen"] for step in kept] == [False] * (len(kept) - 1) + [True]
    assert not any(step["chosen"] for step in steps if not step["kept"])
    several = kerasft_line(*words, "--trainable-blocks", "0", "--seeds", "2")
    assert "seed   0, fit 1 of 2\n" in several.stderr and "1, fit 2 of 2\n" in several.stderr
    assert several.exit_code == 0, several.output
    rows = [line.split() for line in several.stdout.splitlines()]
    assert [row[0] for row in rows] == ["SEED", "0", "1", "mean", "standard", "next"]
    mean = sum(float(row[1]) for row in rows[1:3]) / 2
    assert float(rows[3][1]) == pytest.approx(mean, abs=1e-3)
    assert kerasft_line(*words, "--seeds", "2", "--baselines").exit_code == 2
    # The former name of the option still works.
    gradual = kerasft_line(*words, "--unfreeze-every", "1", "--ladder")
    assert gradual.exit_code == 2 and "a comparison of baselines" in gradual.stderr
    assert "--ladder" not in kerasft_line("fit", "resnet_digits", "--help").stdout


def test_a_record_of_before_is_diagnosed_too(line, runs_dir):
    run = kerasft.load_run(runs_dir / "minilm_tickets" / "two")
    manifest = run.manifest
    del manifest["given"], manifest["data"]["audit"]
    write_json(run.path / "manifest.json", manifest)
    assert line("diagnose", "two").exit_code == 0
