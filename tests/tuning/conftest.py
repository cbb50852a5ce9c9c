"""Searches on tiny presets and pictures."""

import contextlib

import pytest

import kerasft
from kerasft.config import to_dict
from kerasft.recipes import resnet_digits
from kerasft.tuning.journal import JOURNAL


def quick_config(get_preset, images, **changes):
    quick = {
        "preset": get_preset("resnet"), "dataset": images, "image_size": 16, "epochs": 2,
        "head_epochs": 0, "trainable_blocks": 0, "batch_size": 12, "augmentation": "none",
        "head_start": "random",  # a linear probe is always right here, and all scores are equal
    }  # fmt: skip
    return resnet_digits.Config(**{**quick, **changes})


def search(config, **options):
    quick = {
        "name": "s", "progress": False, "max_trials": 4,
        "space": ["learning_rate=1e-4..1e-1:log", "dropout=0,0.2,0.5"],
        "fixed": sorted(set(to_dict(config)) - {"learning_rate", "dropout"}),
    }  # fmt: skip
    return kerasft.tune(resnet_digits, config, **{**quick, **options})


@pytest.fixture
def config(preset, photos):
    """Returns a function that makes quick settings."""
    return lambda **changes: quick_config(preset, photos, **changes)


@pytest.fixture
def tune(config, tmp_path):
    """Returns a function that searches in a folder of its own."""

    def run(changes=None, **options):
        return search(config(**changes or {}), **{"searches_dir": tmp_path / "searches", **options})

    return run


@pytest.fixture(scope="session")
def searched(shared_folder, preset, photos):
    """Returns a function from a tuner to a finished search with it, which tests only read.

    The folder above its recipe has what it wrote to stderr, `progress.txt`.
    """

    def get(tuner):
        def make(folder):
            with open(folder / "progress.txt", "w") as file, contextlib.redirect_stderr(file):
                search(
                    quick_config(preset, photos), searches_dir=folder, tuner=tuner,
                    max_trials=None if tuner == "hyperband" else 6, max_epochs=3, progress=True,
                )  # fmt: skip

        (journal,) = shared_folder(f"search-{tuner}", make).glob(f"*/*/{JOURNAL}")
        return kerasft.load_search(journal.parent)

    return get
