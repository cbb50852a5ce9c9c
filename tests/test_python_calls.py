"""What the command line does is one call in Python: settings as keywords, runs by name."""

import pytest

import kerasft
from kerasft.errors import SettingError

QUICK = {
    "image_size": 16, "epochs": 1, "head_epochs": 0, "batch_size": 16, "trainable_blocks": 0,
    "augmentation": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(preset, photos, tmp_path_factory):
    """A fit whose settings are keywords."""
    return kerasft.fit(
        "resnet_digits", dataset=photos, preset=preset("resnet"), **QUICK, name="first",
        runs_dir=tmp_path_factory.mktemp("python") / "runs", progress=False,
    )  # fmt: skip


def test_keywords_of_a_fit_are_its_settings(run, photos):
    assert {name: run.config[name] for name in QUICK} == QUICK
    assert run.config["dataset"] == photos


def test_a_mistyped_keyword_is_refused_before_anything_is_computed(tmp_path):
    for call in (
        kerasft.fit, kerasft.tune, kerasft.find_learning_rate, kerasft.compare_baselines,
    ):  # fmt: skip
        with pytest.raises(SettingError, match=r"`epoch` not found\. Did you mean 'epochs'"):
            call("resnet_digits", epoch=1)


def test_keywords_of_a_search_are_fixed(preset, photos, tmp_path):
    search = kerasft.tune(
        "resnet_digits", dataset=photos, preset=preset("resnet"), **QUICK, dropout=0.2,
        space=["weight_decay=0,0.01"], max_trials=2, searches_dir=tmp_path, progress=False,
    )  # fmt: skip
    assert {"dropout", "trainable_blocks"} <= set(search.header["given"])  # 0.2 is the default
    assert all("dropout" not in trial.values for trial in search.trials)


@pytest.mark.parametrize("name", ["latest", "resnet_digits", "first", "resnet_digits/first"])
def test_a_run_is_found_by_name(run, name, monkeypatch):
    monkeypatch.chdir(run.path.parents[2])
    assert kerasft.load_run(name).path.resolve() == run.path
    assert kerasft.diagnose(name)["findings"] == kerasft.diagnose(run)["findings"]
