"""A resumed fit is bit-for-bit identical to an uninterrupted one."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.errors import ResumeError, SettingError
from kerasft.recipes import minilm_tickets
from kerasft.runs import sha256, write_manifest
from kerasft.training.resume_checks import training_in
from tests.training.small import text_config


def interrupt(at):
    """Ctrl-C when an epoch begins."""

    def stop(epoch, logs):
        if epoch == at:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_begin=stop)


@pytest.fixture
def config(preset, reviews):
    return text_config(preset, reviews)


@pytest.fixture
def fit(tmp_path):
    def call(config=None, **options):
        return kerasft.fit(minilm_tickets, config, runs_dir=tmp_path, progress=False, **options)

    return call


def interrupted(fit, config, epoch, **options):
    with pytest.raises(KeyboardInterrupt):
        fit(config, callbacks=[interrupt(epoch)], **options)


def record(run):
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]
    return history, run.metrics, sha256(run.path / "weights.safetensors")


@pytest.mark.parametrize("epoch", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_interrupted_fit_resumes_bit_for_bit(fit, config, epoch, tmp_path, text_run):
    interrupted(fit, config, epoch, name="cut")
    run = kerasft.load_run(tmp_path / "minilm_tickets" / "cut")
    assert run.state == "interrupted"
    line = f"kerasft fit minilm_tickets --resume --name cut --runs-dir {run.path.parent.parent}"
    assert line in (run.path / "run.log").read_text()
    assert fit(resume=True).path == run.path  # the latest that was interrupted
    assert run.state == "done" and run.manifest["reason"] is None
    assert record(run) == record(text_run)
    assert f"resume after epoch {epoch} of 4" in (run.path / "run.log").read_text()
    assert not list(run.path.glob("state*")) and not list(run.path.glob("*.lock"))
    assert run.manifest["seconds"] >= sum(row["seconds"] for row in run.history)


@pytest.mark.slow
def test_a_resumed_fit_leaves_out_the_same_examples(fit, config, tmp_path, reviews):
    table = tmp_path / "table.csv"
    rows = Path(reviews).read_text()
    table.write_text(f"{rows.rstrip()}\n,good\n")
    config = dataclasses.replace(config, dataset=str(table), epochs=1, drop_bad=True)
    interrupted(fit, config, 1, name="cut")
    whole = table.read_text()
    table.write_text(whole.replace("\n,good\n", "\na repaired text,good\n"))
    with pytest.raises(ResumeError, match="data"):
        fit(resume=True)
    table.write_text(whole)
    run = fit(resume=True)
    (dropped,) = json.loads((run.path / "dropped.json").read_text())
    assert run.state == "done"
    assert dropped["origin"] == "row 81 of table.csv"


@pytest.mark.slow
def test_without_a_state_it_starts_over(fit, config, tmp_path, text_run):
    interrupted(fit, config, 2, name="cut")
    folder = tmp_path / "minilm_tickets" / "cut"
    (folder / "state.safetensors").unlink()
    assert record(fit(resume=True, name="cut")) == record(text_run)
    assert "resume from the beginning: no state" in (folder / "run.log").read_text()


def test_a_fit_that_was_killed_before_its_manifest_is_replaced(fit, config, tmp_path):
    folder = tmp_path / "minilm_tickets" / "cut"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(SettingError, match=r"cut has nothing to resume: .* Fit without --resume"):
        fit(config, resume=True, name="cut")
    interrupted(fit, config, 0, name="cut")
    assert "cut is replaced: its fit was killed" in (folder / "run.log").read_text()
    assert kerasft.load_run(folder).config["epochs"] == config.epochs


def test_a_folder_that_cannot_be_written_to_is_refused_before_data_are_read(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="file is not a folder"):
        kerasft.fit("resnet_digits", runs_dir=tmp_path / "file" / "runs", dataset="nothing")


def test_what_cannot_be_resumed_is_refused(fit, config, tmp_path, reviews, text_run):
    with pytest.raises(SettingError, match="No interrupted run of minilm_tickets found in"):
        fit(resume=True)
    shutil.copytree(text_run.path, tmp_path / "minilm_tickets" / "done")
    with pytest.raises(SettingError, match="No interrupted run"):
        fit(resume=True)
    with pytest.raises(SettingError, match="done is done"):
        fit(resume=True, name="done")
    table = shutil.copy(reviews, tmp_path / "table.csv")
    own = dataclasses.replace(config, dataset=str(table), epochs=4)
    interrupted(fit, own, 1, name="cut")
    with pytest.raises(ResumeError, match="started with epochs=4, not 7"):
        fit(dataclasses.replace(own, epochs=7), resume=True)
    # A setting that is passed is compared even if it is the default.
    default = minilm_tickets.Config().epochs
    assert default != own.epochs
    with pytest.raises(ResumeError, match=f"was started with epochs=4, not {default}"):
        fit(minilm_tickets.Config(epochs=default), name="cut", resume=True, fixed=["epochs"])
    run = kerasft.load_run(tmp_path / "minilm_tickets" / "cut")
    versions = run.manifest["versions"]
    write_manifest(run, versions={**versions, "backend": "other"})
    with pytest.raises(ResumeError, match="Resume it with KERAS_BACKEND=other, or fit without"):
        fit(own, name="cut", resume=True)
    write_manifest(run, versions=versions)
    training = rf"\(process {os.getpid()}\) is training in"
    with training_in(run), pytest.raises(SettingError, match=training):
        fit(resume=True)
    with open(table, "a", encoding="utf-8") as file:
        file.write("one more film,good\n")
    with pytest.raises(ResumeError, match="The data changed since"):
        fit(resume=True)
    assert run.state == "interrupted"


def test_a_run_that_another_process_ends_meanwhile_is_not_trained_again(
    fit, config, monkeypatch, tmp_path
):
    interrupted(fit, config, 1, name="cut")
    run = kerasft.load_run(tmp_path / "minilm_tickets" / "cut")
    history = run.history

    def end_meanwhile(run, *_):
        write_manifest(run, state="done")

    monkeypatch.setattr(sys.modules["kerasft.training.fit"], "check_unchanged", end_meanwhile)
    with pytest.raises(SettingError, match="cut is done"):
        fit(resume=True)
    assert run.state == "done" and run.history == history
    assert not list(run.path.glob("*.lock"))


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_was_saved(fit, config, tmp_path, text_run):
    """SIGKILL in the middle of a training, from the command line."""
    words = ["fit", "minilm_tickets", "--preset", config.preset, "--dataset", config.dataset.source,
             "--sequence-length", "16", "--trainable-blocks", "1", "--head-epochs", "1",
             "--epochs", "3", "--batch-size", "8", "--patience", "0", "--dropout", "0.3",
             "--runs-dir", str(tmp_path), "--name", "cut"]  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "kerasft", *words], stderr=subprocess.DEVNULL)
    folder = tmp_path / "minilm_tickets" / "cut"
    while not (folder / "state.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = kerasft.load_run(folder)
    assert run.manifest["state"] == "running" and run.state == "interrupted"
    # Its best weights so far can be used; a finished run is found first.
    done = CliRunner().invoke(main, ["predict", str(folder), "a good film", "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)[0]["prediction"] in ("good", "bad")
    which = f"cut is interrupted: its weights are those of epoch {run.manifest['best_epoch']}, the"
    assert which in done.stderr
    (folder / ".weights.safetensors.0123abcd.safetensors").touch()  # being written
    fit(resume=True)
    assert not list(folder.glob(".*"))
    assert record(run) == record(text_run)


@pytest.mark.slow
def test_a_fit_with_loss_scaling_resumes(fit, config):
    half = dataclasses.replace(config, precision="mixed_float16")
    whole = fit(half, name="whole")
    interrupted(fit, half, 2, name="cut")
    assert record(fit(name="cut", resume=True)) == record(whole)
