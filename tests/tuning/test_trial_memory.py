"""Trials whose batches do not fit into memory go on with smaller ones, as fits do."""

import numpy as np
import pytest

import kerasft
from kerasft.errors import NoTrialError
from kerasft.runs import load_run
from kerasft.tuning.results import trial_folder
from tests.limited_memory import RECIPE


@pytest.fixture
def tune(tmp_path, photos):
    (tmp_path / "limited.py").write_text(RECIPE, encoding="utf-8")

    def call(name, **options):
        return kerasft.tune(
            str(tmp_path / "limited.py"), searches_dir=tmp_path, name=name, dataset=photos,
            epochs=2, tuner="grid", **{"progress": False, **options},
        )  # fmt: skip

    return call


def run_of(search, trial):
    return load_run(trial_folder(search.path, trial))


def losses(search, trial):
    run = run_of(search, trial)
    return [[row["loss"], row["val_loss"], row["learning_rate"]] for row in run.history]


def parts(search):
    return [trial.outcome["batches_per_step"] for trial in search.trials]


def test_a_trial_goes_on_with_smaller_batches(tune, capfd):
    search = tune("halved", memory=13, max_trials=1, progress=True)
    assert parts(search) == [2]
    assert run_of(search, 0).manifest["batches_per_step"] == 2
    line = "batches do not fit into memory: 2 smaller ones for each step of the optimizer"
    assert capfd.readouterr().err.count(line) == 1


@pytest.mark.slow
def test_steps_are_the_same_and_the_next_trial_has_its_own_batches(tune):
    whole, halved = tune("whole"), tune("halved", memory=13)
    assert [trial.values["batch_size"] for trial in halved.trials] == [26, 13]
    assert parts(whole) == [1, 1]
    assert parts(halved) == [2, 1]
    for trial in (0, 1):
        np.testing.assert_allclose(losses(halved, trial), losses(whole, trial), rtol=1e-4)
    assert "batches_per_step" not in run_of(halved, 1).manifest


@pytest.mark.slow
def test_executions_begin_with_the_batches_of_the_first(tune):
    search = tune("two", memory=13, executions=2, max_trials=1)
    assert parts(search) == [2]


@pytest.mark.slow
def test_a_trial_of_which_not_one_example_fits_fails_alone(tune):
    with pytest.raises(NoTrialError, match="Out of memory with batches of one example"):
        tune("none", memory=0, max_trials=1)
