"""Runs and searches of every released format load, evaluate, predict, export and resume."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import kerasft

RELEASED = Path(__file__).parent
RUNS = {
    "runs/resnet_digits/image": "photos/red/0.png",
    "runs/minilm_tickets/text": "a great movie",
    "runs/minilm_urgency/numbers": "a great movie",
}
SEARCH = "searches/minilm_tickets/search"
# Machines differ in how they add: a written score is met to this.
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """A copy of what 0.1.0 wrote, in which its paths are those of the copy."""
    root = tmp_path_factory.mktemp("golden") / "0.1.0"
    shutil.copytree(RELEASED / "0.1.0", root)
    for path in root.rglob("*.json"):
        path.write_text(path.read_text().replace("@GOLDEN@", str(root)))
    return root


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_listed_and_measures_what_it_measured(golden, name):
    run = kerasft.load_run(golden / name)
    assert run.path in [other.path for other in kerasft.list_runs(golden / "runs")]
    before, now = run.metrics["test"], kerasft.evaluate(run)  # which may measure more
    numbers = {name: value for name, value in before.items() if isinstance(value, float)}
    assert len(numbers) >= 3
    assert {name: now[name] for name in numbers} == pytest.approx(numbers, abs=TOLERANCE)


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_predicts_what_it_predicted(golden, name):
    run = kerasft.load_run(golden / name)
    loaded = kerasft.load_model(run)
    test = kerasft.load_data(loaded.config).test
    with np.load(run.path / "predictions.npz") as written:
        outputs = loaded.model.predict(test.x, verbose=0)
        assert np.allclose(outputs, written["outputs_test"], atol=TOLERANCE)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name.endswith("image") else pytest.mark.slow) for name in RUNS],
)
def test_an_old_run_predicts_and_is_exported(golden, name, tmp_path):
    run = kerasft.load_run(golden / name)
    given = RUNS[name]
    inputs = [str(golden / given)] if given.endswith(".png") else [given]
    assert kerasft.predict(run, inputs)[0]["prediction"] not in ("", None)
    assert (kerasft.export(run, models_dir=tmp_path) / "saved_model.pb").exists()


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_diagnosed_and_reported(golden, name, tmp_path):
    run = kerasft.load_run(golden / name)
    assert kerasft.diagnose(run)
    assert kerasft.write_report(run).exists()


def test_an_old_interrupted_run_goes_on_to_where_it_would_have_been(golden):
    runs = golden / "runs"
    run = kerasft.fit(
        "minilm_tickets", runs_dir=runs, name="interrupted", resume=True, progress=False
    )
    whole = kerasft.load_run(runs / "minilm_tickets" / "uninterrupted")
    assert run.state == "done"
    assert [row["epoch"] for row in run.history] == [row["epoch"] for row in whole.history]
    for row, expected in zip(run.history, whole.history, strict=True):
        assert row["loss"] == pytest.approx(expected["loss"], abs=TOLERANCE)


def test_an_old_search_loads_with_its_trials(golden):
    search = kerasft.load_search(golden / SEARCH)
    assert [trial.state for trial in search.trials] == ["completed"] * 3
    assert search.best.number == 0
    assert search.best_settings["learning_rate"] == pytest.approx(3e-4)


def test_an_old_search_goes_on(golden, monkeypatch):
    monkeypatch.chdir(golden)  # its data and preset have relative paths
    journal = golden / SEARCH / "journal.jsonl"
    before = [json.loads(line) for line in journal.read_text().splitlines()]
    search = kerasft.tune(
        "minilm_tickets", name="search", resume=True, max_trials=4, progress=False
    )
    after = [json.loads(line) for line in journal.read_text().splitlines()]
    assert after[: len(before)] == before
    assert [trial.state for trial in search.trials] == ["completed"] * 4
