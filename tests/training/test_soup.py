"""A greedy soup: fits stay in an average if the validation score is not worse with them."""

import dataclasses
import json
import shutil
import weakref

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import kerasft
from kerasft.cli.run_summary import average_facts
from kerasft.errors import SettingError
from kerasft.recipes import resnet_digits
from kerasft.runs import write_manifest
from kerasft.runs.files import sha256
from tests.training.small import fit, image_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def fits(shared_folder, preset, photos):
    """Two seeds on the same splits, one on others, and one that trains no block."""
    config = image_config(preset, photos, split_seed=0, learning_rate=1e-2)

    def make(folder):
        for name, changes in (
            ("one", {}), ("two", {"seed": 1}), ("other", {"split_seed": 1}),
            ("head", {"trainable_blocks": 0, "head_epochs": 0}),
        ):  # fmt: skip
            fit(resnet_digits, dataclasses.replace(config, **changes), folder, name=name)

    return shared_folder("soup-fits", make) / "runs" / "resnet_digits"


@pytest.fixture(scope="session")
def priced(shared_folder, preset, prices):
    """Two seeds of a regression on the same splits."""
    config = image_config(preset, prices, split_seed=0, task="regression")

    def make(folder):
        for seed, name in enumerate(("one", "two")):
            fit(resnet_digits, dataclasses.replace(config, seed=seed), folder, name=name)

    return shared_folder("soup-prices", make) / "runs" / "resnet_digits"


@pytest.fixture
def runs(tmp_path, fits):
    """A copy of the fits, which a test may change."""
    return shutil.copytree(fits, tmp_path / "runs" / "resnet_digits")


def weights(run):
    return [variable.numpy() for variable in kerasft.load_model(run).model.weights]


def average(*runs, **options):
    return kerasft.average(runs, runs_dir=runs[0].parent.parent, progress=False, **options)


def spoil(run):
    """Turn the output layer of a run around, so that its answers are wrong."""
    path = run / "weights.safetensors"
    values = {name: -3 * value for name, value in load_file(path).items()}
    save_file(values, path)
    record_hash(path)


def record_hash(path):
    """Record the checksum of a file that a test has changed."""
    run = kerasft.load_run(path.parent)
    write_manifest(run, files={**run.manifest["files"], path.name: sha256(path)})


def test_the_weights_are_the_mean_of_the_fits_that_were_taken(runs):
    soup = average(runs / "one", runs / "two", name="soup")
    offered = soup.manifest["soup"]
    taken = [weights(one["run"]) for one in offered if one["taken"]]
    for found, *values in zip(weights(soup), *taken, strict=True):
        np.testing.assert_allclose(found, np.mean(values, axis=0), rtol=1e-5, atol=1e-7)
    assert offered[0]["taken"] and offered[0]["validation"] >= offered[1]["validation"]
    assert soup.metrics["validation"]["accuracy"] >= offered[0]["validation"]
    for one in offered:
        assert one["test"] == kerasft.load_run(one["run"]).metrics["test"]["accuracy"]
    assert (soup.state, soup.name) == ("done", "soup")
    assert not list(runs.parent.glob(".average-*"))


def test_the_report_and_the_model_card_say_that_it_is_an_average(runs):
    soup = average(runs / "one", runs / "one")
    assert "averaged fits" in kerasft.write_report(soup).read_text(encoding="utf-8")
    exported = kerasft.export(soup, models_dir=runs.parent / "exported")
    assert "average of those of 2 of 2 fits" in (exported / "README.md").read_text(encoding="utf-8")


def test_the_same_fit_twice_is_that_fit(runs):
    soup = average(runs / "one", runs / "one")
    for found, value in zip(weights(soup), weights(runs / "one"), strict=True):
        np.testing.assert_array_equal(found, value)
    before = kerasft.load_run(runs / "one").metrics
    assert soup.metrics["test"]["loss"] == pytest.approx(before["test"]["loss"], rel=1e-5)
    assert kerasft.evaluate(soup)["accuracy"] == before["test"]["accuracy"]


def test_a_fit_that_lowers_the_score_is_left_out(runs):
    spoil(runs / "two")
    soup = average(runs / "two", runs / "one")
    assert [one["taken"] for one in soup.manifest["soup"]] == [True, False]
    assert soup.manifest["soup"][0]["run"] == str(runs / "one")
    assert "the best fit alone" in average_facts(soup)["average"]
    for found, value in zip(weights(soup), weights(runs / "one"), strict=True):
        np.testing.assert_array_equal(found, value)


def test_of_fits_of_a_number_the_one_with_the_larger_error_is_left_out(priced, tmp_path):
    runs = shutil.copytree(priced, tmp_path / "runs" / "resnet_digits")
    spoil(runs / "one")
    soup = average(runs / "one", runs / "two")
    best, other = soup.manifest["soup"]
    assert (best["run"], other["taken"]) == (str(runs / "two"), False)
    assert best["validation"] < other["validation"]
    assert best["validation"] == pytest.approx(soup.metrics["validation"]["rmse"], rel=1e-4)


def test_fits_are_averaged_by_the_metric_that_all_monitor(runs):
    for name in ("one", "two"):
        path = runs / name / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "monitor": "val_f1"}))
        record_hash(path)
    spoil(runs / "two")
    best, other = average(runs / "two", runs / "one").manifest["soup"]
    assert best["validation"] == kerasft.load_run(runs / "one").metrics["validation"]["f1"]
    found = kerasft.evaluate(runs / "two", split="validation")
    assert found["f1"] != found["accuracy"] and best["metric"] == "f1"
    assert (other["validation"], other["taken"]) == (pytest.approx(found["f1"]), False)


def test_fits_that_train_other_blocks_can_be_averaged(runs):
    soup = average(runs / "head", runs / "one")
    assert soup.manifest["weights"]["stored"] == "all"
    taken = [weights(one["run"]) for one in soup.manifest["soup"] if one["taken"]]
    for found, *values in zip(weights(soup), *taken, strict=True):
        np.testing.assert_allclose(found, np.mean(values, axis=0), rtol=1e-5, atol=1e-7)


def test_other_splits_are_refused(runs):
    with pytest.raises(SettingError, match=r"splits differ.*same `split_seed`"):
        average(runs / "one", runs / "other")


def test_one_run_is_refused(runs):
    with pytest.raises(SettingError, match=r"at least two runs\. Received: 1"):
        average(runs / "one")


def test_another_recipe_is_refused(runs):
    found = kerasft.load_run(runs / "two")
    write_manifest(found, recipe={**found.manifest["recipe"], "sha256": "0" * 64})
    with pytest.raises(SettingError, match="their recipes differ"):
        average(runs / "one", runs / "two")


def test_unfinished_fits_are_refused(runs):
    write_manifest(kerasft.load_run(runs / "two"), state="failed")
    with pytest.raises(SettingError, match="two is failed: only finished fits"):
        average(runs / "one", runs / "two")


def test_inputs_of_another_size_are_refused(runs, preset, photos):
    config = image_config(preset, photos, split_seed=0, image_size=24, epochs=1)
    kerasft.fit(resnet_digits, config, runs_dir=runs.parent, name="large", progress=False)
    with pytest.raises(SettingError, match="they differ in `image_size`"):
        average(runs / "one", runs / "large")


def test_what_a_killed_fit_has_left_under_the_name_is_replaced(runs):
    (runs / "left").mkdir()
    (runs / "left" / "config.json").write_text("{}")
    assert average(runs / "one", runs / "one", name="left").state == "done"


def test_a_taken_name_is_refused_before_anything_is_computed(runs):
    with pytest.raises(SettingError, match="already exists"):
        average(runs / "one", runs / "two", name="one")
    assert not list(runs.parent.glob(".average-*"))


def test_few_models_are_in_memory_at_a_time(runs, monkeypatch):
    loaded, most = [], []

    def load(run):
        found = kerasft.load_model(run)
        loaded.append(weakref.ref(found.model))
        most.append(sum(model() is not None for model in loaded))
        return found

    monkeypatch.setattr("kerasft.training.soup.load_model", load)
    average(*[runs / "one"] * 6)
    assert len(loaded) == 6 + 1 + 5  # to compare them, the best one, and to average the others
    assert max(most) <= 3


def test_an_interrupted_average_leaves_nothing(runs, monkeypatch):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("kerasft.training.soup.measure_record", stop)
    before = sorted(runs.parent.rglob("*"))
    with pytest.raises(KeyboardInterrupt):
        average(runs / "one", runs / "one")
    assert sorted(runs.parent.rglob("*")) == before
