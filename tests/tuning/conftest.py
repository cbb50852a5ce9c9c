"""Searches on tiny presets and pictures."""

import pytest

import kerasft
from kerasft.config import to_dict
from kerasft.recipes import resnet_digits


@pytest.fixture
def config(preset, photos):
    """Returns a function that makes quick settings."""

    def make(**changes):
        quick = {
            "preset": preset("resnet"), "dataset": photos, "image_size": 16, "epochs": 2,
            "head_epochs": 0, "trainable_blocks": 0, "batch_size": 12, "augmentation": "none",
        }  # fmt: skip
        return resnet_digits.Config(**{**quick, **changes})

    return make


@pytest.fixture
def tune(config, tmp_path):
    """Returns a function that searches in a folder of its own."""

    def run(changes=None, **options):
        quick = {
            "searches_dir": tmp_path / "searches", "name": "s", "progress": False, "max_trials": 4,
            "space": ["learning_rate=1e-4..1e-1:log", "dropout=0,0.2,0.5"],
            "held": sorted(set(to_dict(config())) - {"learning_rate", "dropout"}),
        }  # fmt: skip
        settings = config(**changes or {})
        return kerasft.tune(resnet_digits, settings, **{**quick, **options})

    return run
