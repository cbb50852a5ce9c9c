"""Searches: whole, interrupted, refused."""

import importlib
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kerasft
from kerasft.config import to_dict
from kerasft.errors import (
    DamagedFileError,
    DataError,
    NoTrialError,
    ResourceError,
    ResumeError,
    SettingError,
)
from kerasft.recipes import resnet_digits
from kerasft.training.checkpoint import SaveState
from kerasft.training.recorder import Recorder
from kerasft.tuning.journal import JOURNAL, locked
from kerasft.tuning.progress import SearchProgress
from kerasft.tuning.results import load_search, trial_folder
from kerasft.tuning.search import Searcher
from kerasft.tuning.trial import run_trial
from kerasft.tuning.trial_job import TrialJob
from kerasft.tuning.trial_models import TrialModels


class KilledError(BaseException):
    """Ends a search between two events."""


def described(search):
    """Returns what the trials of a search are, without their times."""
    return [(t.number, t.values, t.epochs, t.continues, t.state, t.score) for t in search.trials]


@pytest.fixture
def kill(monkeypatch):
    """Returns a function that makes the next search die after so many ended trials."""

    def after(ended):
        finish = Searcher.end_trial

        def end(self, trial, outcome):
            finish(self, trial, outcome)
            if sum(t.state != "running" for t in self.trials.values()) == ended:
                monkeypatch.setattr(Searcher, "end_trial", finish)
                raise KilledError

        monkeypatch.setattr(Searcher, "end_trial", end)

    return after


@pytest.mark.parametrize(
    "tuner",
    [
        "random",
        *(pytest.param(t, marks=pytest.mark.slow) for t in ("bayesian", "grid", "hyperband")),
    ],
)
def test_each_tuner_finds_at_least_the_defaults_and_goes_on_after_a_kill(
    searched, tune, kill, tmp_path, tuner
):
    whole = searched(tuner)
    count = 7 if tuner == "hyperband" else 6  # its whole plan, with trial 0
    assert [trial.number for trial in whole.trials] == list(range(count))
    assert whole.best.score >= whole.defaults.score
    assert whole.defaults.values == {"learning_rate": 1e-3, "dropout": 0.2}
    if tuner == "hyperband":
        assert any(trial.continues is not None for trial in whole.trials)
    for name in ("trials.csv", "objective.png", "settings.png"):
        assert (whole.path / name).stat().st_size > 0
    assert not list(whole.path.rglob("state-*"))
    kept = {path.parent.name for path in whole.path.glob("trials/*/weights.safetensors")}
    assert f"{whole.best.number:04d}" in kept
    assert len(kept) <= 3

    options = {"tuner": tuner, "max_trials": whole.header["max_trials"], "max_epochs": 3}
    kill(4)
    with pytest.raises(KilledError):
        tune(**options, name="killed")
    # Of the first rung of Hyperband, one of three trials is continued, and needs its state.
    states = list((tmp_path / "searches").rglob("killed/trials/*/state-*"))
    assert len(states) == (1 if tuner == "hyperband" else 0)
    with open(tmp_path / "searches" / "resnet_digits" / "killed" / JOURNAL, "a") as file:
        file.write('{"event": "tri')  # the line that was being written
    assert described(tune(**options, name="killed", resume=True)) == described(whole)


def test_a_trial_that_ends_with_its_search_is_recorded(tune, tmp_path, monkeypatch):
    def interrupt(progress, running):
        manifest = progress.folder(running[0]) / "manifest.json"
        if manifest.exists() and kerasft.load_run(manifest.parent).state == "done":
            raise KeyboardInterrupt

    monkeypatch.setattr(SearchProgress, "tick", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tune(max_trials=1, max_epochs=1)
    (trial,) = kerasft.load_search(tmp_path / "searches" / "resnet_digits" / "s").trials
    assert trial.state == "completed"


@pytest.mark.slow
def test_the_best_of_equal_scores_has_weights(tune):
    search = tune({"head_start": "linear"}, max_trials=6, max_epochs=1)
    assert {trial.score for trial in search.trials} == {1.0}
    assert (trial_folder(search.path, search.best.number) / "weights.safetensors").exists()


def test_the_winner_is_fitted_evaluated_and_exported(searched, tmp_path):
    search = searched("random")
    trial = trial_folder(search.path, search.best.number)
    found = kerasft.evaluate(trial, split="validation")
    assert found["accuracy"] == pytest.approx(search.best.score, abs=1e-6)
    assert not (trial / "metrics.json").exists()  # the test split was not looked at
    best = resnet_digits.Config(**search.best_settings)
    run = kerasft.fit(resnet_digits, best, runs_dir=tmp_path / "runs", progress=False)
    assert run.metrics["validation"]["accuracy"] == pytest.approx(search.best.score, abs=1e-6)
    assert (kerasft.export(run, models_dir=tmp_path / "saved") / "saved_model.pb").exists()
    assert search.fit_command.startswith("kerasft fit resnet_digits --")
    assert f"--learning-rate {search.best.values['learning_rate']}" in search.fit_command


def test_a_search_that_was_another_is_refused_with_what_differs(searched, tune, tmp_path):
    shutil.copytree(searched("random").path, tmp_path / "searches" / "resnet_digits" / "s")
    for options, message in (
        (
            {"space": ["dropout=0,0.2"]},
            "dropout.values: [0.0, 0.2, 0.5] before, [0.0, 0.2] now",
        ),
        ({"tuner": "grid"}, 'tuner: "random" before, "grid" now'),
        ({"changes": {"batch_size": 7}}, "config.batch_size: 12 before, 7 now"),
        ({"changes": {"monitor": "val_f1"}}, 'objective.name: "val_accuracy" before'),
        ({"changes": {"validation_fraction": 0.3}}, "data: "),
    ):
        with pytest.raises(ResumeError) as raised:
            tune(resume=True, **options)
        assert message in str(raised.value)
        assert raised.value.exit_code == 4
    with pytest.raises(SettingError, match="exists already"):
        tune()
    # What was given before need not be given again; more trials may be asked for.
    goes_on = {"searches_dir": tmp_path / "searches", "resume": True, "progress": False}
    assert len(kerasft.tune("resnet_digits", **goes_on).trials) == 6
    assert len(kerasft.tune("resnet_digits", **goes_on, max_trials=7).trials) == 7


@pytest.mark.slow
def test_hyperband_tells_its_plan_and_then_its_time(searched):
    progress = (searched("hyperband").path.parent.parent / "progress.txt").read_text()
    lines = [line for line in progress.splitlines() if line.startswith("plan")]
    assert lines[0] == "plan   3 to epoch 1, then 1 to epoch 3"
    assert lines[1] == "plan   2 to epoch 3"
    assert lines[2] == "plan   14 epochs in total; one of 3 trials is continued"
    assert re.fullmatch(r"plan   about \d+s left", lines[3])


def test_a_grid_does_not_repeat_the_defaults(tune):
    search = tune(
        {"learning_rate": 1e-3, "dropout": 0.2, "epochs": 1}, tuner="grid", max_trials=None,
        space=["learning_rate=1e-3,1e-2", "dropout=0,0.2"],
    )  # fmt: skip
    values = [tuple(trial.values.values()) for trial in search.trials]
    assert len(values) == len(set(values)) == 4


def test_a_failed_trial_is_shown_and_a_search_without_a_good_one_is_an_error(tune):
    search = tune(
        {"epochs": 1}, tuner="grid", max_trials=None, space=["trainable_blocks=0,9"],
        fixed=["learning_rate", "dropout"],
    )  # fmt: skip
    assert [trial.state for trial in search.trials] == ["completed", "failed"]
    assert "but must be at most" in search.trials[1].outcome["reason"]
    wild = {
        "learning_rate": 100.0, "optimizer": "sgd", "gradient_clip": 0.0, "momentum": 0.99,
        "epochs": 30, "kernel_l2": 100.0, "patience": 0,
    }  # fmt: skip
    with pytest.raises(NoTrialError, match="The training loss became") as raised:
        tune(wild, name="nan", max_trials=1)
    assert raised.value.exit_code == 7


def test_a_search_is_locked_while_its_resumption_is_planned(tune, monkeypatch):
    search = tune({"epochs": 1}, max_trials=1)
    make = importlib.import_module("kerasft.tuning.tune").make_plan

    def plan(*args):
        with pytest.raises(SettingError, match="is searching in"), locked(search.path):
            pass
        return make(*args)

    monkeypatch.setattr(importlib.import_module("kerasft.tuning.tune"), "make_plan", plan)
    assert len(tune({"epochs": 1}, max_trials=1, resume=True).trials) == 1


def test_a_name_that_another_search_takes_meanwhile_is_refused(tune, monkeypatch, tmp_path):
    make = importlib.import_module("kerasft.tuning.tune").make_plan
    journal = tmp_path / "searches" / "resnet_digits" / "s" / JOURNAL

    def plan(*args):
        journal.parent.mkdir(parents=True)
        journal.write_text('{"event": "search"}\n')
        return make(*args)

    monkeypatch.setattr(importlib.import_module("kerasft.tuning.tune"), "make_plan", plan)
    with pytest.raises(SettingError, match="exists already"):
        tune({"epochs": 1})
    assert journal.read_text() == '{"event": "search"}\n'


@pytest.mark.slow
def test_searches_of_one_second_do_not_collide(tune, monkeypatch):
    monkeypatch.setattr("kerasft.tuning.plan.timestamp_name", lambda: "now")
    paths = [tune({"epochs": 1}, max_trials=1, name=None).path for _ in range(2)]
    assert [path.name for path in paths] == ["now", "now-2"]


def test_a_folder_that_cannot_be_written_to_is_refused_before_data_are_read(tune, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="file is not a folder"):
        tune({"dataset": str(tmp_path / "nothing")}, searches_dir=tmp_path / "file" / "searches")


def test_data_errors_stop_the_search_at_once(tune, tmp_path):
    with pytest.raises(DataError):
        tune({"dataset": str(tmp_path / "nothing")})
    assert not (tmp_path / "searches").exists()


def test_the_budget_stops_at_the_end_of_an_epoch_and_resume_finishes(tune):
    with pytest.raises(NoTrialError):
        tune({"epochs": 4}, budget=0.3, max_trials=2)  # less than it takes to trace an epoch
    search = tune({"epochs": 4}, resume=True, max_trials=2)
    assert [trial.state for trial in search.trials] == ["completed", "completed"]
    history = json.loads((trial_folder(search.path, 0) / "history.json").read_text())
    assert len(history) == 4


@pytest.mark.slow
def test_the_time_of_a_trial_is_that_of_its_attempts_without_the_trial_it_continues(
    config, tmp_path, monkeypatch
):
    def run(number, epochs, **options):
        folder = tmp_path / str(number)
        folder.mkdir(exist_ok=True)
        settings = to_dict(config(epochs=epochs, patience=0))
        job = TrialJob(number, folder, settings, keep_state=True, **options)
        began = time.monotonic()
        return run_trial(models, job), time.monotonic() - began

    def stop_after_three_epochs(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 2:
            raise KilledError

    models, save = TrialModels(resnet_digits, 0), SaveState.on_epoch_end
    first, wall = run(0, 1)
    assert first["seconds"] == pytest.approx(wall, abs=0.01)
    continued = {"continues": tmp_path / "0", "continued_seconds": first["training_seconds"]}
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(SaveState, "on_epoch_end", stop_after_three_epochs)
        run(1, 4, **continued)
    second, wall = run(1, 4, **continued)
    history = json.loads((tmp_path / "1" / "history.json").read_text())
    before = sum(row["seconds"] for row in history[1:3])  # of the first attempt
    assert second["seconds"] == pytest.approx(wall + before, abs=0.01)


def test_executions_have_seeds_of_their_own_and_are_averaged(tune):
    search = tune({"epochs": 1}, executions=2, max_trials=1)
    scores = search.defaults.outcome["scores"]
    assert len(scores) == 2
    assert search.defaults.score == pytest.approx(sum(scores) / 2)


def test_a_search_is_narrowed_around_an_earlier_one(searched, tune):
    first = searched("random")
    second = tune({"epochs": 1}, warm_start=first.path, max_trials=2, tuner="grid")
    low, high = (second.header["space"][0][key] for key in ("min_value", "max_value"))
    assert low < first.best.values["learning_rate"] < high
    assert high / low == pytest.approx(10, rel=0.1) or low == 1e-4 or high == 1e-1
    assert second.trials[1].values == first.best.values  # the best of the first comes first


def test_the_gain_within_noise_is_reported(searched, tune):
    search = searched("random")
    count, share = search.header["validation_examples"], search.defaults.score
    assert count == 5
    share = min(max(share, 0.2), 0.8)
    assert search.chance == search.noise == pytest.approx(2 * (share * (1 - share) / 5) ** 0.5)
    assert tune({"monitor": "val_f1", "epochs": 1}, max_trials=1).noise is None


def test_a_full_disk_and_a_damaged_state_lose_nothing(searched, tune, monkeypatch, file_size_limit):
    whole, options = described(searched("random"))[:2], {"max_trials": 2, "max_epochs": 3}
    began = Recorder.on_epoch_end

    def fill_in_the_second_trial(self, epoch, logs=None):
        began(self, epoch, logs)
        if "0001" in str(self.run.path) and epoch == 1:
            file_size_limit(1000)

    monkeypatch.setattr(Recorder, "on_epoch_end", fill_in_the_second_trial)
    with pytest.raises(ResourceError, match=r"state-0\.safetensors cannot be written") as raised:
        tune(name="full", **options)
    assert raised.value.exit_code == 6
    file_size_limit(None)
    monkeypatch.undo()

    search = load_search(folder := Path(str(raised.value).split("/trials/")[0]))
    assert [trial.state for trial in search.trials] == ["completed", "running"]
    state = trial_folder(folder, 1) / "state-0.safetensors"
    good = state.read_bytes()
    state.write_bytes(good[:-40])
    with pytest.raises(DamagedFileError, match=r"state-0\.safetensors is damaged.*from the first"):
        tune(name="full", **options, resume=True)
    state.write_bytes(good)
    assert described(tune(name="full", **options, resume=True)) == whole


@pytest.mark.slow
def test_a_search_killed_at_random_moments_ends_as_one_that_was_not(tune, config, tmp_path):
    expected = described(tune(max_trials=5))
    held = [
        f"--no-{name}".replace("_", "-") if value is False
        else f"--{name}={value}".replace("_", "-", name.count("_"))
        for name, value in to_dict(config()).items()
        if name not in ("learning_rate", "dropout") and value is not None and value is not True
    ]  # fmt: skip
    line = [sys.executable, "-m", "kerasft", "tune", "resnet_digits", *held, "--max-trials", "5"]
    line += ["--space", "learning_rate=1e-4..1e-1:log", "--space", "dropout=0,0.2,0.5"]
    line += ["--name", "k", "--searches-dir", str(tmp_path / "killed")]
    journal = tmp_path / "killed" / "resnet_digits" / "k" / JOURNAL
    rng = random.Random(0)
    for _ in range(20):
        process = subprocess.Popen(
            [*line, *(["--resume"] if journal.exists() else [])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        # From the first event on: the start alone would be killed again and again.
        size = journal.stat().st_size if journal.exists() else 0
        while process.poll() is None and (not journal.exists() or journal.stat().st_size == size):
            time.sleep(0.05)
        try:
            process.wait(rng.uniform(0, 8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        output = process.communicate()[0]
        assert process.returncode == 0, output
        break
    search = kerasft.load_search(journal.parent)
    assert described(search) == expected


@pytest.mark.slow
def test_two_workers_make_the_trials_of_one(tune, capsys):
    for tuner in ("random", "grid"):
        one = tune(tuner=tuner, name=f"{tuner}1", max_epochs=1)
        two = tune(tuner=tuner, name=f"{tuner}2", max_epochs=1, workers=2, progress=True)
        assert described(two) == described(one)
    assert "worker 2 available, each with one trial at a time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"learning_rate": "auto"}, {"space": []}, "a search needs a number"),
        ({}, {"tuner": "hyperband", "space": ["epochs=4..12:4"]}, "cannot be searched"),
        ({}, {"workers": 1025}, "`workers` must be at most 1024"),
        ({"unfreeze_every": 1}, {"tuner": "hyperband"}, "`unfreeze_every` cannot be combined with"),
        ({}, {"tuner": "hyperband", "space": ["unfreeze_every=0,1"]}, "`unfreeze_every` cannot"),
    ],
)
def test_what_no_trial_could_do_is_refused_before_the_first(tune, changes, options, message):
    with pytest.raises(SettingError, match=message):
        tune(changes, **{"fixed": list(changes), **options})


def test_a_search_over_the_start_of_the_head_needs_a_number_of_head_epochs(tune):
    auto = {"head_epochs": "auto", "trainable_blocks": 1}
    with pytest.raises(SettingError, match=r"`head_epochs` is auto, .* Pass --head-epochs 2\."):
        tune(auto, space=["head_start=linear,random"], fixed=[])
    both = ["head_start=linear,random", "head_epochs=0..3"]
    for options in ({}, {"space": both, "fixed": [], "name": "both"}):
        search = tune({**auto, "epochs": 1}, max_trials=1, **options)
        assert search.header["config"]["head_epochs"] == 2
