"""A run can be used from anywhere, and says so where something of it is gone."""

from pathlib import Path

import pytest

import kerasft
from kerasft.errors import ResumeError
from kerasft.recipes import resnet_digits
from kerasft.runs.provenance import anchored, versions
from kerasft.testing import tiny_preset


def test_paths_are_whole_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "my_preset", "resnet_18_imagenet"):
        (tmp_path / name).mkdir()
    config = kerasft.ImageConfig(dataset="photos", preset="my_preset")
    found = anchored(config)
    assert (found.dataset, found.preset) == (str(tmp_path / "photos"), str(tmp_path / "my_preset"))
    assert anchored(found) == found
    # KerasHub's own name is meant, whatever folders there are; what is not there stays, too.
    known = kerasft.ImageConfig(dataset="tfds:beans", preset="resnet_18_imagenet")
    assert anchored(known) == known
    missing = kerasft.ImageConfig(dataset="nowhere", preset="package:kerasft/assets/resnet_glyphs")
    assert anchored(missing) == missing


def test_the_version_of_the_running_code_is_recorded():
    assert versions()["kerasft"] == kerasft.__version__


def test_a_run_is_used_from_another_folder(tmp_path, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_preset("resnet", tmp_path / "own")
    Path("pets").symlink_to(photos)
    config = resnet_digits.Config(
        preset="own", dataset="pets", image_size=16, trainable_blocks=0, head_epochs=0, epochs=1
    )
    run = kerasft.fit(resnet_digits, config, runs_dir="runs", progress=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = kerasft.load_run(tmp_path / run.path)
    found = kerasft.evaluate(again)
    assert found["loss"] == pytest.approx(again.metrics["test"]["loss"], abs=1e-5)
    (tmp_path / "own").rename(tmp_path / "moved")
    with pytest.raises(ResumeError, match=r"The preset of .* is not there any more: .*own"):
        kerasft.load_model(again)
